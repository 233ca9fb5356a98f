//===- NpyHeader.cpp - The header of a .npy file --------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NpyHeader.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/raw_ostream.h"

#include <optional>

using namespace mlir::lot;
using namespace mlir::lot::runtime;

static constexpr llvm::StringLiteral kMagic("\x93NUMPY");

/// What NumPy calls our types. Of several names the first is written. bfloat16
/// has none: ml_dtypes stores it as two bytes of nothing in particular.
static constexpr std::pair<llvm::StringLiteral, DType> kNames[] = {
    {"f2", DType::F16},  {"f4", DType::F32},        {"f8", DType::F64},
    {"V2", DType::BF16}, {"bfloat16", DType::BF16}, {"b1", DType::I1},
    {"i1", DType::I8},   {"u1", DType::I8},         {"i2", DType::I16},
    {"u2", DType::I16},  {"i4", DType::I32},        {"u4", DType::I32},
    {"i8", DType::I64},  {"u8", DType::I64},
};

namespace {
/// The part of Python's literals that a header may hold.
class HeaderParser {
public:
  HeaderParser(llvm::StringRef text, NpyHeader &header)
      : text(text), header(header) {}

  llvm::Error parse();

private:
  bool consume(llvm::StringRef token) {
    text = text.ltrim();
    return text.consume_front(token);
  }
  std::optional<llvm::StringRef> parseString();
  llvm::Error parseType();
  llvm::Error parseOrder();
  llvm::Error parseShape();

  llvm::StringRef text;
  NpyHeader &header;
};
} // namespace

std::optional<llvm::StringRef> HeaderParser::parseString() {
  for (llvm::StringRef quote : {"'", "\""})
    if (consume(quote)) {
      size_t end = text.find(quote[0]);
      if (end == llvm::StringRef::npos)
        return std::nullopt;
      llvm::StringRef value = text.take_front(end);
      text = text.drop_front(end + 1);
      return value;
    }
  return std::nullopt;
}

llvm::Error HeaderParser::parseType() {
  text = text.ltrim();
  if (text.starts_with("["))
    return llvm::createStringError(
        "expected an array of numbers, got a structured dtype");
  std::optional<llvm::StringRef> descr = parseString();
  if (!descr)
    return llvm::createStringError("expected the dtype as a string");
  llvm::StringRef name = *descr;
  if (name.contains('O'))
    return llvm::createStringError(
        "expected an array of numbers, got dtype object ('%s')",
        name.str().c_str());
  header.bigEndian = name.starts_with(">");
  if (!name.empty() && llvm::StringRef("<>|=").contains(name[0]))
    name = name.drop_front();
  auto *known = llvm::find_if(
      kNames, [&](const auto &entry) { return entry.first == name; });
  if (known == std::end(kNames))
    return llvm::createStringError(
        "expected a dtype of float16, float32, float64, bfloat16, bool or an "
        "integer, got '%s'",
        descr->str().c_str());
  header.dtype = known->second;
  return llvm::Error::success();
}

llvm::Error HeaderParser::parseOrder() {
  header.fortran = consume("True");
  if (header.fortran || consume("False"))
    return llvm::Error::success();
  return llvm::createStringError("expected fortran_order to be True or False");
}

llvm::Error HeaderParser::parseShape() {
  auto error = [] {
    return llvm::createStringError("expected the shape as a tuple of sizes");
  };
  if (!consume("("))
    return error();
  while (!consume(")")) {
    int64_t size;
    text = text.ltrim();
    if (text.consumeInteger(10, size) || size < 0)
      return error();
    header.shape.push_back(size);
    text.consume_front("L"); // Python 2 wrote 3L.
    if (consume(","))
      continue;
    if (!consume(")"))
      return error();
    break;
  }
  return llvm::Error::success();
}

llvm::Error HeaderParser::parse() {
  if (!consume("{"))
    return llvm::createStringError("expected a Python dict as header");
  bool hasType = false, hasOrder = false, hasShape = false;
  while (!consume("}")) {
    std::optional<llvm::StringRef> key = parseString();
    if (!key || !consume(":"))
      return llvm::createStringError("malformed header");
    bool *seen = *key == "descr"           ? &hasType
                 : *key == "fortran_order" ? &hasOrder
                 : *key == "shape"         ? &hasShape
                                           : nullptr;
    if (!seen || *seen)
      return llvm::createStringError("unexpected key '%s' in the header",
                                     key->str().c_str());
    *seen = true;
    llvm::Error error = seen == &hasType    ? parseType()
                        : seen == &hasOrder ? parseOrder()
                                            : parseShape();
    if (error)
      return error;
    if (!consume(",") && !text.ltrim().starts_with("}"))
      return llvm::createStringError("malformed header");
  }
  if (!hasType || !hasOrder || !hasShape)
    return llvm::createStringError(
        "expected descr, fortran_order and shape in the header");
  return llvm::Error::success();
}

llvm::Expected<NpyHeader> NpyHeader::parse(llvm::StringRef file) {
  if (!file.starts_with(kMagic))
    return llvm::createStringError(
        "expected a .npy file, the first bytes are not \\x93NUMPY");
  if (file.size() < kMagic.size() + 2)
    return llvm::createStringError("truncated in the header");
  unsigned version = static_cast<unsigned char>(file[kMagic.size()]);
  if (version < 1 || version > 3)
    return llvm::createStringError(
        "expected .npy version 1, 2 or 3, got version %u", version);
  size_t begin = kMagic.size() + 2, digits = version == 1 ? 2 : 4;
  if (file.size() < begin + digits)
    return llvm::createStringError("truncated in the header");
  const char *number = file.data() + begin;
  uint64_t length = version == 1 ? llvm::support::endian::read16le(number)
                                 : llvm::support::endian::read32le(number);
  begin += digits;
  if (file.size() < begin + length)
    return llvm::createStringError("truncated in the header");

  NpyHeader header;
  header.length = begin + length;
  if (auto error = HeaderParser(file.substr(begin, length), header).parse())
    return std::move(error);
  return header;
}

std::string NpyHeader::format(DType dtype, llvm::ArrayRef<int64_t> shape) {
  if (dtype == DType::Index)
    dtype = DType::I64;
  llvm::StringRef name = llvm::find_if(kNames, [&](const auto &entry) {
                           return entry.second == dtype;
                         })->first;
  std::string dict;
  llvm::raw_string_ostream os(dict);
  os << "{'descr': '" << (getSize(dtype) == 1 ? "|" : "<") << name
     << "', 'fortran_order': False, 'shape': (";
  llvm::interleave(shape, os, ", ");
  os << (shape.size() == 1 ? ",)" : ")") << ", }";
  // The elements begin at a multiple of 64, after a line break. Any rank that
  // fits in memory fits in the two bytes of version 1.
  size_t prefix = kMagic.size() + 4;
  dict.append(63 - (prefix + dict.size()) % 64, ' ');
  dict += '\n';
  std::string result = kMagic.str();
  result += {1, 0, static_cast<char>(dict.size() & 0xff),
             static_cast<char>(dict.size() >> 8)};
  return result + dict;
}
