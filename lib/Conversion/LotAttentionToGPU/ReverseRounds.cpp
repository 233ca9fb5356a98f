//===- ReverseRounds.cpp - Loops over the tiles of a plan -----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Registers have no index: in each round the words of some tiles are picked
// from those of all, and put back where they have changed.
//
//===----------------------------------------------------------------------===//

#include "InlinePTX.h"
#include "ReversePlan.h"

using namespace mlir;
using namespace mlir::lot;

static Values flatten(ArrayRef<Values> words) {
  Values all;
  for (const Values &tile : words)
    llvm::append_range(all, tile);
  return all;
}

static SmallVector<Values> unflatten(ArrayRef<Value> all, size_t of) {
  SmallVector<Values> words;
  for (; !all.empty(); all = all.drop_front(of))
    words.push_back(Values(all.take_front(of)));
  return words;
}

Values ReversePlan::wordsOf(ArrayRef<Values> kept, int64_t tile) {
  if (tile < static_cast<int64_t>(kept.size()))
    return kept[tile];
  int64_t of = facts.pivots() / 4;
  return otherWords->load((tile - keptTiles) * of, of);
}

void ReversePlan::share(int64_t tile, ArrayRef<Value> changed) {
  otherWords->store((tile - keptTiles) * facts.pivots() / 4, changed);
}

Values ReversePlan::pickedOf(int64_t first) {
  Values all;
  for (int64_t tile = first; tile < first + pickedTiles(); ++tile)
    all.append(wordsOf(allWords, tile));
  return all;
}

/// A branch between halves of the rounds, and a choice in them: branches that
/// do nothing but move values become moves of both, on a condition.
void ReversePlan::pickWords(int64_t tile) {
  int64_t size = roundTiles();
  assert(getTileCount() == 4 * size && "expected four rounds");
  auto choose = [&](int64_t lo, int64_t hi) {
    Values lower = pickedOf(lo + tile), upper = pickedOf(hi + tile);
    emitMark(k, lo);
    Value isLower = isRoundBelow(hi);
    for (auto [a, b] : llvm::zip_equal(lower, upper))
      a = k.select(isLower, a, b);
    return lower;
  };
  size_t of = words[tile].size();
  Values picked = k.ifElse(
      isRoundBelow(2 * size),
      SmallVector<Type>(of * pickedTiles(), k.getI32Type()),
      [&] { return choose(0, size); },
      [&] { return choose(2 * size, 3 * size); });
  llvm::copy(unflatten(picked, of), words.begin() + tile);
}

/// Those of rounds [lo, hi), where `changed` takes the place of the round's.
Values ReversePlan::replaceWords(int64_t lo, int64_t hi, int64_t tile,
                                 const Values &changed) {
  size_t of = changed.size() / pickedTiles();
  if (lo + roundTiles() == hi) {
    emitMark(k, lo);
    Values kept;
    for (int64_t i = 0; i < pickedTiles(); ++i) {
      ArrayRef<Value> own = ArrayRef(changed).slice(i * of, of);
      if (lo + tile + i < keptTiles)
        llvm::append_range(kept, own);
      else
        share(lo + tile + i, own);
    }
    return kept;
  }
  auto others = [&](int64_t first, int64_t end) {
    Values all;
    for (; first < end; first += roundTiles())
      for (int64_t at = first + tile; at < first + tile + pickedTiles(); ++at)
        if (at < keptTiles)
          all.append(allWords[at]);
    return all;
  };
  auto join = [](Values all, const Values &rest) {
    all.append(rest);
    return all;
  };
  int64_t middle = (lo + hi) / 2;
  Values lower = others(lo, middle), upper = others(middle, hi);
  return k.ifElse(
      isRoundBelow(middle),
      SmallVector<Type>(lower.size() + upper.size(), k.getI32Type()),
      [&] { return join(replaceWords(lo, middle, tile, changed), upper); },
      [&] { return join(lower, replaceWords(middle, hi, tile, changed)); });
}

void ReversePlan::putWords(int64_t tile) {
  Values changed = flatten(ArrayRef(words).slice(tile, pickedTiles()));
  SmallVector<Values> all = unflatten(
      replaceWords(0, getTileCount(), tile, changed), words[tile].size());
  ArrayRef<Values> next = all;
  for (int64_t first = tile; first < getTileCount(); first += roundTiles())
    for (int64_t at = first; at < first + pickedTiles(); ++at)
      if (at < keptTiles) {
        allWords[at] = next.front();
        next = next.drop_front();
      }
}

Value ReversePlan::isRoundBelow(int64_t tile) {
  return arith::CmpIOp::create(k, arith::CmpIPredicate::ult, round,
                               k.word(tile));
}

Value ReversePlan::number(int64_t tile) {
  return k.add(arith::IndexCastUIOp::create(k, k.getIndexType(), round), tile);
}

std::unique_ptr<KernelBuilder::FreshThread> ReversePlan::freshIfCrowded() {
  if (!isCrowded())
    return nullptr;
  return std::make_unique<KernelBuilder::FreshThread>(k);
}

void ReversePlan::startRound(Value first) {
  // What is computed from it is no number of its own that goes from round to
  // round, in another register.
  round = isCrowded() ? emitOpaque(k, first) : first;
  Value passed = arith::MulIOp::create(k, round, k.word(kTileRows));
  laneRows = arith::SubIOp::create(k, rowsOfLane, passed);
  warpRows = arith::SubIOp::create(k, rowsOfWarp, passed);
}

Value ReversePlan::startPlace() {
  return isCrowded() ? k.toWord(k.thread()) : Value();
}

Values ReversePlan::giveState(bool withWords, ValueRange rest) {
  Values all{suspect};
  if (withWords)
    all.append(flatten(words));
  llvm::append_range(all, rest);
  return all;
}

Values ReversePlan::takeState(bool withWords, ValueRange values) {
  Values rest(values.drop_front());
  suspect = values.front();
  if (withWords) {
    size_t of = words[0].size(), count = words.size() * of;
    words = unflatten(ArrayRef(rest).take_front(count), of);
    rest.erase(rest.begin(), rest.begin() + count);
  }
  return rest;
}

Values ReversePlan::emitRound(Access access, Value first, Value &place,
                              Values carried, TileBody body) {
  startRound(first);
  Value zero = k.word(0);
  Values none(words[0].size(), zero);
  allWords = words;
  words.assign(roundTiles(), none);
  for (int64_t tile = 0; tile < roundTiles(); ++tile) {
    if (access != Access::write && tile % pickedTiles() == 0)
      pickWords(tile);
    std::unique_ptr<KernelBuilder::FreshThread> inTile;
    if (place) {
      place = emitOpaque(k, place);
      inTile = std::make_unique<KernelBuilder::FreshThread>(k, place);
      startRound(first);
    }
    carried = body(tile, carried);
    if (place)
      place = arith::AddIOp::create(k, place, k.word(1 << Kernel::kThreadBits));
    if (access != Access::read && (tile + 1) % pickedTiles() == 0)
      putWords(tile + 1 - pickedTiles());
  }
  words = allWords;
  return carried;
}

Values ReversePlan::forTiles(Access access, Value &place, ValueRange init,
                             TileBody body) {
  bool withWords = access != Access::read;
  Values all = giveState(withWords, init);
  if (place)
    all.push_back(place);
  Values results =
      k.forLoop(k.word(0), k.word(getTileCount()), k.word(roundTiles()), all,
                [&](Value first, ValueRange carried) {
                  Values rest = takeState(withWords, carried);
                  Value word = place ? rest.pop_back_val() : Value();
                  rest = emitRound(access, first, word, rest, body);
                  if (word)
                    rest.push_back(word);
                  return giveState(withWords, rest);
                });
  round = laneRows = warpRows = nullptr;
  Values rest = takeState(withWords, results);
  if (place)
    place = rest.pop_back_val();
  return rest;
}

Values ReversePlan::forTiles(Access access, ValueRange init, TileBody body) {
  Value place = startPlace();
  return forTiles(access, place, init, body);
}

void ReversePlan::forTiles(
    int64_t columns, int64_t count, TileBody body,
    function_ref<void(Value column, ArrayRef<Value> sums)> fold) {
  Values init;
  if (Value place = startPlace())
    init.push_back(place);
  Values results =
      k.forLoop(k.index(0), k.index(columns), k.index(32),
                giveState(/*withWords=*/false, init),
                [&](Value from, ValueRange carried) {
                  Values places = takeState(/*withWords=*/false, carried);
                  Value none, &place = places.empty() ? none : places[0];
                  column = from;
                  Values sums = forTiles(Access::read, place,
                                         Values(count, k.f32(0)), body);
                  if (fold) {
                    KernelBuilder::FreshThread inFold(k);
                    fold(from, sums);
                  }
                  return giveState(/*withWords=*/false, places);
                });
  takeState(/*withWords=*/false, results);
  column = nullptr;
}
