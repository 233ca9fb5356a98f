//===- OutlineFrameworks.cpp - lot.attention in functions of its own ------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Conversion/Passes.h"
#include "lot/IR/Lot.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTOUTLINEFRAMEWORKS
#include "lot/Conversion/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;
using namespace mlir::lot;

/// Erases the op if nothing uses it, then what it alone used: the sizes that
/// the old destination was made from.
static void eraseDead(Operation *op) {
  if (!op || !isOpTriviallyDead(op))
    return;
  SmallVector<Value> operands(op->getOperands());
  op->erase();
  for (Value operand : operands)
    eraseDead(operand.getDefiningOp());
}

/// An empty tensor of the type of the op's init. Its dynamic sizes are those of
/// the inputs that must be equal to them. The op's operands are all different.
static FailureOr<Value> createInit(OpBuilder &b, DestinationStyleOpInterface op,
                                   Value init) {
  auto type = cast<RankedTensorType>(init.getType());
  DimGroups groups = isa<AttentionOp>(op)
                         ? cast<AttentionOp>(op).getDimGroups()
                         : cast<AttentionVjpOp>(op).getDimGroups();
  SmallVector<Value> inputs = op.getDpsInputs(), sizes;
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    if (!type.isDynamicDim(dim))
      continue;
    Value size;
    for (const DimGroup &group : groups) {
      if (llvm::none_of(group.dims, [&](const OperandDim &each) {
            return each.operand.value == init && each.dim == dim;
          }))
        continue;
      for (const OperandDim &each : group.dims)
        if (!size && llvm::is_contained(inputs, each.operand.value))
          size = b.createOrFold<tensor::DimOp>(op.getLoc(), each.operand.value,
                                               each.dim);
    }
    if (!size)
      return op->emitOpError("lot-outline-frameworks: expected an input with "
                             "the size of dim ")
             << dim << " of " << type << ", got none";
    sizes.push_back(size);
  }
  return tensor::EmptyOp::create(b, op.getLoc(), type, sizes).getResult();
}

/// A private function of the op's inputs that returns its results.
static FailureOr<func::FuncOp> createFunction(DestinationStyleOpInterface op,
                                              SymbolTable &symbols) {
  OpBuilder b(op.getContext());
  Location loc = op.getLoc();
  SmallVector<Value> inputs = op.getDpsInputs();
  std::string name = op->getName().getStringRef().str();
  std::replace(name.begin(), name.end(), '.', '_');
  auto function = func::FuncOp::create(
      b, loc, name,
      b.getFunctionType(ValueRange(inputs).getTypes(), op->getResultTypes()));
  function.setPrivate();
  Block *entry = function.addEntryBlock();
  // By position: one value may be several operands here, and others elsewhere.
  // The inits are arguments, too, until they are made from the inputs.
  auto clone = cast<DestinationStyleOpInterface>(op->clone());
  b.setInsertionPointToStart(entry);
  b.insert(clone);
  for (auto [operand, argument] :
       llvm::zip_equal(clone.getDpsInputOperands(), entry->getArguments()))
    operand->set(argument);
  for (OpOperand &init : clone.getDpsInitsMutable())
    init.set(entry->addArgument(init.get().getType(), loc));
  b.setInsertionPoint(clone);
  for (OpOperand &init : clone.getDpsInitsMutable()) {
    FailureOr<Value> value = createInit(b, clone, init.get());
    if (failed(value)) {
      function.erase();
      return failure();
    }
    init.set(*value);
  }
  entry->eraseArguments(inputs.size(),
                        entry->getNumArguments() - inputs.size());
  b.setInsertionPointToEnd(entry);
  func::ReturnOp::create(b, loc, clone->getResults());
  symbols.insert(function);
  return function;
}

static void replaceByCall(DestinationStyleOpInterface op,
                          func::FuncOp function) {
  OpBuilder b(op);
  llvm::SmallSetVector<Operation *, 4> makers;
  for (Value init : op.getDpsInits())
    if (Operation *maker = init.getDefiningOp())
      makers.insert(maker);
  auto call = func::CallOp::create(b, op.getLoc(), function,
                                   ValueRange(op.getDpsInputs()));
  op->replaceAllUsesWith(call.getResults());
  op->erase();
  for (Operation *maker : makers)
    eraseDead(maker);
}

namespace {
/// Two ops with equal keys share a function.
struct Key {
  Operation *table;
  OperationName name;
  DictionaryAttr attributes;
  SmallVector<Type> types;

  Key(Operation *op, Operation *table)
      : table(table), name(op->getName()), attributes(op->getAttrDictionary()),
        types(op->getOperandTypes()) {}
  bool operator==(const Key &other) const {
    return table == other.table && name == other.name &&
           attributes == other.attributes && types == other.types;
  }
};

class Outliner {
public:
  LogicalResult outline(DestinationStyleOpInterface op) {
    // Calls are resolved in the nearest symbol table, and none is found past an
    // unregistered op with one region, which might be one.
    auto module =
        dyn_cast_or_null<ModuleOp>(SymbolTable::getNearestSymbolTable(op));
    if (!module)
      return op->emitOpError(
          "lot-outline-frameworks: expected a builtin.module "
          "as the nearest symbol table, got none");
    Key key(op, module);
    auto found = llvm::find_if(
        functions, [&](const auto &entry) { return entry.first == key; });
    if (found == functions.end()) {
      FailureOr<func::FuncOp> created =
          createFunction(op, tables.getSymbolTable(module));
      if (failed(created))
        return failure();
      functions.emplace_back(std::move(key), *created);
      found = std::prev(functions.end());
    }
    replaceByCall(op, found->second);
    return success();
  }

private:
  SymbolTableCollection tables;
  SmallVector<std::pair<Key, func::FuncOp>> functions;
};

struct OutlineFrameworks
    : public lot::impl::LotOutlineFrameworksBase<OutlineFrameworks> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<DestinationStyleOpInterface> ops;
    getOperation()->walk([&](Operation *op) {
      if (isa<AttentionOp, AttentionVjpOp>(op) &&
          cast<DestinationStyleOpInterface>(op).hasPureTensorSemantics())
        ops.push_back(cast<DestinationStyleOpInterface>(op));
    });
    Outliner outliner;
    for (DestinationStyleOpInterface op : ops)
      if (failed(outliner.outline(op)))
        return signalPassFailure();
  }
};
} // namespace
