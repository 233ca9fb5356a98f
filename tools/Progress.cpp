//===- Progress.cpp - A line that says what is going on -------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Progress.h"

#include "llvm/Support/Process.h"

#include <chrono>
#include <cstdio>

using namespace std::chrono;

Progress::Progress(std::string tool) : tool(std::move(tool)) {
  if (llvm::sys::Process::StandardErrIsDisplayed())
    thread = std::thread([this] { run(); });
}

Progress::~Progress() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    ended = true;
  }
  wake.notify_all();
  if (thread.joinable())
    thread.join();
  clear();
}

void Progress::set(std::string text) {
  std::lock_guard<std::mutex> lock(mutex);
  what = std::move(text);
}

void Progress::clear() {
  std::lock_guard<std::mutex> lock(mutex);
  what.clear();
  if (shown)
    std::fputs("\r\033[K", stderr);
  shown = false;
}

void Progress::run() {
  auto begin = steady_clock::now();
  std::unique_lock<std::mutex> lock(mutex);
  while (!ended) {
    wake.wait_for(lock, milliseconds(200));
    double seconds = duration<double>(steady_clock::now() - begin).count();
    if (ended || what.empty() || seconds < 0.5)
      continue;
    std::fprintf(stderr, "\r\033[K%s: %s ... %.1f s", tool.c_str(),
                 what.c_str(), seconds);
    shown = true;
  }
}
