//===- Timer.h - Seconds that a phase takes ----------------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_TIMER_H
#define LOT_LIB_RUNTIME_TIMER_H

#include <chrono>

namespace mlir::lot::runtime {

/// Adds the time from its creation to its end.
class PhaseTimer {
public:
  explicit PhaseTimer(double &seconds) : seconds(seconds), start(now()) {}
  ~PhaseTimer() { seconds += now() - start; }
  PhaseTimer(const PhaseTimer &) = delete;

private:
  static double now() {
    using namespace std::chrono;
    return duration<double>(steady_clock::now().time_since_epoch()).count();
  }

  double &seconds;
  double start;
};

} // namespace mlir::lot::runtime

#endif // LOT_LIB_RUNTIME_TIMER_H
