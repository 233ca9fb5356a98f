//===- HoverDocs.cpp - Descriptions of ops in an editor -------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HoverDocs.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdio>
#include <thread>
#include <unistd.h>

using namespace llvm;
using namespace mlir::lot;

/// docs/generated/LotDialect.md, from the ODS files.
static constexpr StringLiteral kDialectDocs =
#include "OpDocs.inc"
    ;

StringRef mlir::lot::getOpDocs(StringRef opName) {
  std::string heading = ("### `" + opName + "` (").str();
  size_t begin = kDialectDocs.find(heading);
  if (begin == StringRef::npos)
    return "";
  StringRef section = kDialectDocs.substr(begin);
  section = section.drop_front(section.find('\n'));
  // What follows are tables of what the text has said.
  return section.take_front(section.find("\nTraits: ")).trim();
}

std::string mlir::lot::addHoverDocs(StringRef message) {
  auto unchanged = [&](Error error) {
    consumeError(std::move(error));
    return message.str();
  };
  Expected<json::Value> parsed = json::parse(message);
  if (!parsed)
    return unchanged(parsed.takeError());
  json::Object *root = parsed->getAsObject();
  json::Object *result = root ? root->getObject("result") : nullptr;
  json::Object *contents = result ? result->getObject("contents") : nullptr;
  std::optional<StringRef> value =
      contents ? contents->getString("value") : std::nullopt;
  // The server begins with the op's name in quotes.
  StringRef text = value.value_or("");
  if (!text.consume_front("\""))
    return message.str();
  StringRef docs = getOpDocs(text.take_until([](char c) { return c == '"'; }));
  if (docs.empty())
    return message.str();
  std::string extended = (*value + "\n***\n" + docs + "\n").str();
  (*contents)["value"] = std::move(extended);
  std::string out;
  raw_string_ostream(out) << *parsed;
  return out;
}

/// Copies messages (a header with their length, an empty line, JSON) from `in`
/// to `out` until the end of `in`.
static void pump(FILE *in, FILE *out) {
  char *line = nullptr;
  size_t capacity = 0;
  size_t length = 0;
  while (getline(&line, &capacity, in) > 0) {
    StringRef header = StringRef(line).trim();
    if (header.consume_front_insensitive("content-length:")) {
      if (header.trim().getAsInteger(10, length))
        length = 0;
      continue;
    }
    if (!header.empty() || !length) {
      // Not the protocol (--help, say): as it is.
      fputs(line, out);
      fflush(out);
      continue;
    }
    std::string body(length, '\0');
    length = 0;
    body.resize(fread(body.data(), 1, body.size(), in));
    std::string message = addHoverDocs(body);
    fprintf(out, "Content-Length: %zu\r\n\r\n", message.size());
    fwrite(message.data(), 1, message.size(), out);
    fflush(out);
  }
  free(line);
}

int mlir::lot::runWithHoverDocs(function_ref<int()> server) {
  int channel[2];
  int editor = dup(STDOUT_FILENO);
  if (editor < 0 || pipe(channel) != 0) {
    errs()
        << "lot-lsp-server: expected a pipe and a copy of stdout, got none\n";
    return 1;
  }
  dup2(channel[1], STDOUT_FILENO);
  close(channel[1]);
  FILE *in = fdopen(channel[0], "r"), *out = fdopen(editor, "w");
  std::thread filter(pump, in, out);
  int status = server();
  // The end of what the server writes, so that the filter comes to its end.
  outs().flush();
  fflush(stdout);
  close(STDOUT_FILENO);
  filter.join();
  fclose(in);
  fclose(out);
  return status;
}
