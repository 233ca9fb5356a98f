//===- CacheEntry.cpp - Compiled code as bytes ----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CacheEntry.h"

#include "llvm/Support/DataExtractor.h"
#include "llvm/Support/EndianStream.h"

using namespace mlir::lot;
using namespace mlir::lot::runtime;

static constexpr llvm::StringLiteral kMark = "lot code\n";

using Checksum = llvm::BLAKE3Result<>;

static Checksum getChecksum(llvm::StringRef bytes) {
  return llvm::BLAKE3::hash(llvm::arrayRefFromStringRef(bytes));
}

static llvm::StringRef asBytes(const Checksum &hash) {
  return {reinterpret_cast<const char *>(hash.data()), hash.size()};
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

namespace {
class EntryWriter {
public:
  explicit EntryWriter(llvm::raw_ostream &os)
      : os(os), writer(os, llvm::endianness::little) {}

  void number(uint64_t value) { writer.write<uint64_t>(value); }
  void bytes(llvm::StringRef value) {
    number(value.size());
    os << value;
  }
  void numbers(llvm::ArrayRef<int64_t> values) {
    number(values.size());
    for (int64_t value : values)
      number(value);
  }
  void specs(llvm::ArrayRef<TensorSpec> values) {
    number(values.size());
    for (const TensorSpec &spec : values) {
      number(static_cast<uint64_t>(spec.dtype));
      numbers(spec.shape);
      numbers(spec.strides);
      number(spec.offset);
      for (bool flag :
           {spec.contiguous, spec.scalar, spec.buffer, spec.writable})
        number(flag);
    }
  }

private:
  llvm::raw_ostream &os;
  llvm::support::endian::Writer writer;
};
} // namespace

std::string runtime::encodeEntry(const CacheKey &key, const ObjectCode &code) {
  std::string payload;
  llvm::raw_string_ostream payloadStream(payload);
  EntryWriter writer(payloadStream);
  writer.number(code.openmp);
  writer.number(code.functions.size());
  for (const Signature &function : code.functions) {
    writer.bytes(function.name);
    writer.specs(function.arguments);
    writer.specs(function.results);
  }
  writer.number(code.objects.size());
  for (const auto &object : code.objects)
    writer.bytes(object->getBuffer());

  std::string entry;
  llvm::raw_string_ostream os(entry);
  os << kMark << asBytes(key) << asBytes(getChecksum(payload));
  EntryWriter(os).bytes(payload);
  return entry;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {
/// Reads past the end give zeros and a failed cursor.
class EntryReader {
public:
  explicit EntryReader(llvm::StringRef bytes)
      : data(bytes, /*IsLittleEndian=*/true, /*AddressSize=*/8) {}

  uint64_t number() { return data.getU64(cursor); }
  llvm::StringRef bytes() { return data.getBytes(cursor, number()); }
  /// The number of items that follow; each takes eight bytes at least.
  uint64_t count() {
    uint64_t value = number();
    return value <= data.size() / 8 ? value : 0;
  }
  llvm::SmallVector<int64_t, 4> numbers() {
    llvm::SmallVector<int64_t, 4> values(count());
    for (int64_t &value : values)
      value = number();
    return values;
  }
  std::vector<TensorSpec> specs() {
    std::vector<TensorSpec> values(count());
    for (TensorSpec &spec : values) {
      spec.dtype = static_cast<DType>(number());
      spec.shape = numbers();
      spec.strides = numbers();
      spec.offset = number();
      for (bool *flag :
           {&spec.contiguous, &spec.scalar, &spec.buffer, &spec.writable})
        *flag = number();
    }
    return values;
  }
  /// Whether everything was there and nothing is left.
  bool finish() {
    bool atEnd = cursor && data.eof(cursor);
    llvm::consumeError(cursor.takeError());
    return atEnd;
  }

private:
  llvm::DataExtractor data;
  llvm::DataExtractor::Cursor cursor{0};
};
} // namespace

std::unique_ptr<ObjectCode> runtime::decodeEntry(const CacheKey &key,
                                                 llvm::StringRef entry) {
  if (!entry.consume_front(kMark) || !entry.consume_front(asBytes(key)) ||
      entry.size() < sizeof(Checksum))
    return nullptr;
  llvm::StringRef checksum = entry.take_front(sizeof(Checksum));
  EntryReader frame(entry.drop_front(sizeof(Checksum)));
  llvm::StringRef payload = frame.bytes();
  if (!frame.finish() || asBytes(getChecksum(payload)) != checksum)
    return nullptr;

  // From here on every byte is as it was written.
  auto code = std::make_unique<ObjectCode>();
  EntryReader reader(payload);
  code->openmp = reader.number();
  code->functions.resize(reader.count());
  for (Signature &function : code->functions) {
    function.name = reader.bytes().str();
    function.arguments = reader.specs();
    function.results = reader.specs();
  }
  code->objects.resize(reader.count());
  for (auto &object : code->objects) // copied for the alignment that ELF needs
    object = llvm::MemoryBuffer::getMemBufferCopy(reader.bytes(), "lot");
  return reader.finish() ? std::move(code) : nullptr;
}
