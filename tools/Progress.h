//===- Progress.h - A line that says what is going on ------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_TOOLS_PROGRESS_H
#define LOT_TOOLS_PROGRESS_H

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

/// One line on stderr, "TOOL: WHAT ... 3.2 s", from half a second on, gone when
/// the work is done. Nothing when stderr is no terminal.
class Progress {
public:
  explicit Progress(std::string tool);
  ~Progress();

  /// Says what begins now.
  void set(std::string what);
  /// Takes the line away.
  void clear();

private:
  void run();

  std::string tool;
  std::string what;
  bool ended = false;
  bool shown = false;
  std::mutex mutex;
  std::condition_variable wake;
  std::thread thread;
};

#endif // LOT_TOOLS_PROGRESS_H
