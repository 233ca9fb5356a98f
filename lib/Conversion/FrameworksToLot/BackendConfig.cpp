//===- BackendConfig.cpp - The configuration of a custom call -------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FrameworkCall.h"

#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace mlir::lot;

/// A JSON value as the attribute that a dictionary would hold; null for nested
/// objects.
static Attribute toAttribute(Builder &b, const llvm::json::Value &value) {
  using Kind = llvm::json::Value::Kind;
  switch (value.kind()) {
  case Kind::Null:
    return b.getUnitAttr();
  case Kind::Boolean:
    return b.getBoolAttr(*value.getAsBoolean());
  case Kind::Number:
    // JSON has one kind of number: 5.0 is the integer 5.
    if (std::optional<int64_t> integer = value.getAsInteger())
      return b.getI64IntegerAttr(*integer);
    return b.getF64FloatAttr(*value.getAsNumber());
  case Kind::String:
    return b.getStringAttr(*value.getAsString());
  case Kind::Array: {
    SmallVector<Attribute> elements;
    for (const llvm::json::Value &element : *value.getAsArray())
      if (Attribute attribute = toAttribute(b, element))
        elements.push_back(attribute);
      else
        return {};
    return b.getArrayAttr(elements);
  }
  case Kind::Object:
    return {};
  }
  llvm_unreachable("unknown kind of JSON value");
}

/// {"epsilon": 0.5, ...} as a dictionary.
static FailureOr<DictionaryAttr> parseJSON(Operation *op, StringRef text) {
  llvm::Expected<llvm::json::Value> parsed = llvm::json::parse(text);
  if (!parsed)
    return emitImportError(op)
           << "backend_config: expected a JSON object, got invalid JSON: "
           << llvm::toString(parsed.takeError());
  const llvm::json::Object *object = parsed->getAsObject();
  if (!object)
    return emitImportError(op)
           << "backend_config: expected a JSON object, got " << text;
  Builder b(op->getContext());
  NamedAttrList attributes;
  for (const auto &[key, value] : *object) {
    Attribute attribute = toAttribute(b, value);
    if (!attribute)
      return emitImportError(op)
             << "backend_config: expected " << StringRef(key)
             << " to be a number, a string, a list or null, got an object";
    attributes.set(StringRef(key), attribute);
  }
  return attributes.getDictionary(op->getContext());
}

FailureOr<DictionaryAttr> lot::readBackendConfig(Operation *op) {
  // JAX's ffi_call writes the discardable dictionary beside an empty string;
  // newer producers write the dictionary in its place.
  Attribute dictionary = op->getAttr("mhlo.backend_config");
  Attribute config = op->getAttr("backend_config");
  if (auto string = dyn_cast_or_null<StringAttr>(config);
      string && string.empty())
    config = {};
  if (dictionary && config)
    return emitImportError(op) << "expected one of mhlo.backend_config and "
                                  "backend_config, got both";
  StringRef name = dictionary ? "mhlo.backend_config" : "backend_config";
  if (!config)
    config = dictionary;
  if (!config)
    return DictionaryAttr::get(op->getContext());
  if (auto found = dyn_cast<DictionaryAttr>(config))
    return found;
  if (auto string = dyn_cast<StringAttr>(config); string && !dictionary)
    return parseJSON(op, string.getValue());
  return emitImportError(op)
         << name << ": expected a dictionary"
         << (dictionary ? "" : " or a string of JSON") << ", got " << config;
}
