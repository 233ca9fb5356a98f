//===- Attributes.cpp - C API of the attributes ---------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot-c/Attributes.h"

#include "lot/IR/Lot.h"

#include "mlir/CAPI/IR.h"

using namespace mlir;
using namespace mlir::lot;

// The C enums are the C++ ones.
template <typename CEnum, typename Enum>
static constexpr bool same(CEnum a, Enum b) {
  return static_cast<int>(a) == static_cast<int>(b);
}
static_assert(same(LotNormalizationQueryMass, Normalization::query_mass) &&
              same(LotNormalizationRowSum, Normalization::row_sum) &&
              same(LotNormalizationNone, Normalization::none));
static_assert(same(LotMarginalTokens, Marginal::tokens) &&
              same(LotMarginalPivots, Marginal::pivots));
static_assert(same(LotDomainLog, Domain::log) &&
              same(LotDomainScaling, Domain::scaling));
static_assert(same(LotFactorStorageStored, FactorStorage::stored) &&
              same(LotFactorStorageRecomputed, FactorStorage::recomputed));

/// The context with the dialect in it: an attribute of a dialect that is only
/// registered cannot be made.
static MLIRContext *loaded(MLIRContext *context) {
  context->getOrLoadDialect<LotDialect>();
  return context;
}

bool lotAttributeIsANormalization(MlirAttribute attr) {
  return isa<NormalizationAttr>(unwrap(attr));
}
MlirAttribute lotNormalizationAttrGet(MlirContext context,
                                      LotNormalization value) {
  return wrap(NormalizationAttr::get(loaded(unwrap(context)),
                                     static_cast<Normalization>(value)));
}
LotNormalization lotNormalizationAttrGetValue(MlirAttribute attr) {
  return static_cast<LotNormalization>(
      cast<NormalizationAttr>(unwrap(attr)).getValue());
}

bool lotAttributeIsAMarginal(MlirAttribute attr) {
  return isa<MarginalAttr>(unwrap(attr));
}
MlirAttribute lotMarginalAttrGet(MlirContext context, LotMarginal value) {
  return wrap(
      MarginalAttr::get(loaded(unwrap(context)), static_cast<Marginal>(value)));
}
LotMarginal lotMarginalAttrGetValue(MlirAttribute attr) {
  return static_cast<LotMarginal>(cast<MarginalAttr>(unwrap(attr)).getValue());
}

bool lotAttributeIsADomain(MlirAttribute attr) {
  return isa<DomainAttr>(unwrap(attr));
}
MlirAttribute lotDomainAttrGet(MlirContext context, LotDomain value) {
  return wrap(
      DomainAttr::get(loaded(unwrap(context)), static_cast<Domain>(value)));
}
LotDomain lotDomainAttrGetValue(MlirAttribute attr) {
  return static_cast<LotDomain>(cast<DomainAttr>(unwrap(attr)).getValue());
}

static CPUScheduleAttr unwrapSchedule(MlirAttribute attr) {
  return cast<CPUScheduleAttr>(unwrap(attr));
}
bool lotAttributeIsACPUSchedule(MlirAttribute attr) {
  return isa<CPUScheduleAttr>(unwrap(attr));
}
MlirAttribute lotCPUScheduleAttrGetChecked(MlirLocation location,
                                           int64_t tokenTile, int64_t lanes,
                                           int64_t rowBlock,
                                           int64_t vectorBlock,
                                           LotFactorStorage factor) {
  Location loc = unwrap(location);
  return wrap(CPUScheduleAttr::getChecked(
      [loc] { return emitError(loc); }, loaded(loc.getContext()), tokenTile,
      lanes, rowBlock, vectorBlock, static_cast<FactorStorage>(factor)));
}
int64_t lotCPUScheduleAttrGetTokenTile(MlirAttribute attr) {
  return unwrapSchedule(attr).getTokenTile();
}
int64_t lotCPUScheduleAttrGetLanes(MlirAttribute attr) {
  return unwrapSchedule(attr).getLanes();
}
int64_t lotCPUScheduleAttrGetRowBlock(MlirAttribute attr) {
  return unwrapSchedule(attr).getRowBlock();
}
int64_t lotCPUScheduleAttrGetVectorBlock(MlirAttribute attr) {
  return unwrapSchedule(attr).getVectorBlock();
}
LotFactorStorage lotCPUScheduleAttrGetFactor(MlirAttribute attr) {
  return static_cast<LotFactorStorage>(unwrapSchedule(attr).getFactor());
}
