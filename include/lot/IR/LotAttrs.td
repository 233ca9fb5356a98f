//===- LotAttrs.td - Attributes of the lot dialect ------------*- tablegen -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_IR_LOTATTRS
#define LOT_IR_LOTATTRS

include "lot/IR/LotBase.td"

class Lot_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::mlir::lot";
  let genSpecializedAttr = 0;
}

def Lot_Normalization : Lot_Enum<"Normalization",
    "what divides a row of the glued coupling", [
      I32EnumAttrCase<"query_mass", 0>, I32EnumAttrCase<"row_sum", 1>,
      I32EnumAttrCase<"none", 2>]>;
def Lot_NormalizationAttr
    : EnumAttr<Lot_Dialect, Lot_Normalization, "normalization"> {
  let assemblyFormat = "`<` $value `>`";
}

def Lot_Marginal : Lot_Enum<"Marginal", "a side of a pivot coupling", [
      I32EnumAttrCase<"tokens", 0>, I32EnumAttrCase<"pivots", 1>]>;
def Lot_MarginalAttr : EnumAttr<Lot_Dialect, Lot_Marginal, "marginal"> {
  let assemblyFormat = "`<` $value `>`";
}

def Lot_Domain : Lot_Enum<"Domain", "the domain a sweep computes in", [
      I32EnumAttrCase<"log", 0>, I32EnumAttrCase<"scaling", 1>]>;
def Lot_DomainAttr : EnumAttr<Lot_Dialect, Lot_Domain, "domain"> {
  let assemblyFormat = "`<` $value `>`";
}

def Lot_FactorStorage : Lot_Enum<"FactorStorage", "where the passes over tokens find D", [
      I32EnumAttrCase<"stored", 0>, I32EnumAttrCase<"recomputed", 1>]>;

def Lot_FactorStorageParameter : EnumParameter<Lot_FactorStorage> {
  let defaultValue = "FactorStorage::stored";
}

def Lot_CPUScheduleAttr : AttrDef<Lot_Dialect, "CPUSchedule"> {
  let mnemonic = "cpu_schedule";
  let summary = "how the CPU pipeline tiles one head";
  let description = [{
    - `token_tile`: tokens of one tile of the factor, a multiple of `lanes`;
    - `lanes`: tokens in one vector;
    - `row_block`, `vector_block`: the register block of all products, rows x
      vectors: tokens x pivots for scores, pivots x value columns for G = R2 V,
      tokens x value columns for O = R1 G;
    - `factor`: `stored` keeps the n x r factor of one head in memory for all
      half-steps; `recomputed` keeps none of it, every half-step computes the
      scores again and works in the log domain: r times less memory, several
      times the time. Optional, `stored` by default.

    `lot-select-schedule` chooses it from the target; an attribute that is
    already there is kept and checked.
  }];
  let parameters = (ins "int64_t":$token_tile, "int64_t":$lanes,
                        "int64_t":$row_block, "int64_t":$vector_block,
                        Lot_FactorStorageParameter:$factor);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

#endif // LOT_IR_LOTATTRS
