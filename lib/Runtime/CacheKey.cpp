//===- CacheKey.cpp - What compiled code depends on -----------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CacheKey.h"

#include "llvm/Config/llvm-config.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"

#include "lot/Pipelines/Pipelines.h"
#include "mlir/Target/LLVMIR/Export.h"

#include <link.h>
#include <unistd.h>

using namespace mlir::lot;
using namespace mlir::lot::runtime;

/// Counts up whenever the way of compiling changes outside of the code that
/// getCompilerIdentity sees, or the format of an entry.
static constexpr uint64_t kFormat = 1;

namespace {
/// Hashes fields with their lengths, so that no two lists of them look alike.
class FieldHasher {
public:
  void add(llvm::StringRef field) {
    add(field.size());
    hasher.update(field);
  }
  void add(uint64_t number) {
    uint8_t bytes[sizeof(number)];
    llvm::support::endian::write64le(bytes, number);
    hasher.update(bytes);
  }
  CacheKey finish() { return hasher.final(); }

private:
  llvm::BLAKE3 hasher;
};
} // namespace

//===----------------------------------------------------------------------===//
// The compiler
//===----------------------------------------------------------------------===//

static const char *getSegment(const dl_phdr_info &object,
                              const ElfW(Phdr) & segment) {
  return reinterpret_cast<const char *>(object.dlpi_addr + segment.p_vaddr);
}

/// Calls `use` with the loaded object that `address` lies in.
static bool withObjectOf(const void *address,
                         llvm::function_ref<bool(const dl_phdr_info &)> use) {
  struct Search {
    const char *address;
    llvm::function_ref<bool(const dl_phdr_info &)> use;
    bool result = false;
  } search{static_cast<const char *>(address), use};
  dl_iterate_phdr(
      [](dl_phdr_info *object, size_t, void *data) {
        auto &search = *static_cast<Search *>(data);
        for (const auto &segment :
             llvm::ArrayRef(object->dlpi_phdr, object->dlpi_phnum)) {
          const char *begin = getSegment(*object, segment);
          if (segment.p_type != PT_LOAD || search.address < begin ||
              search.address >= begin + segment.p_memsz)
            continue;
          search.result = search.use(*object);
          return 1;
        }
        return 0;
      },
      &search);
  return search.result;
}

/// The code and constants of an object. Read from memory and not from the file:
/// that may have been replaced by a newer build since.
static bool addContents(const dl_phdr_info &object, FieldHasher &hasher) {
  bool any = false;
  for (const auto &segment :
       llvm::ArrayRef(object.dlpi_phdr, object.dlpi_phnum)) {
    // Read-only segments hold no relocated address: every process has the
    // same. Initial values of variables show up through the build id in them.
    if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_R) ||
        segment.p_flags & PF_W)
      continue;
    hasher.add({getSegment(object, segment), segment.p_filesz});
    any = true;
  }
  return any;
}

/// The linker's build id of an object.
static llvm::StringRef getBuildID(const dl_phdr_info &object) {
  for (const auto &segment :
       llvm::ArrayRef(object.dlpi_phdr, object.dlpi_phnum)) {
    if (segment.p_type != PT_NOTE)
      continue;
    llvm::StringRef notes(getSegment(object, segment), segment.p_memsz);
    while (notes.size() >= sizeof(ElfW(Nhdr))) {
      ElfW(Nhdr) header;
      std::memcpy(&header, notes.data(), sizeof(header));
      llvm::StringRef rest = notes.drop_front(sizeof(header));
      size_t nameSize = llvm::alignTo(header.n_namesz, 4);
      size_t size = nameSize + llvm::alignTo(header.n_descsz, 4);
      if (rest.size() < size)
        break;
      if (header.n_type == NT_GNU_BUILD_ID &&
          rest.take_front(header.n_namesz) == llvm::StringRef("GNU", 4))
        return rest.substr(nameSize, header.n_descsz);
      notes = rest.drop_front(size);
    }
  }
  return "";
}

/// Tells one build of a large library from another: by its build id, where it
/// has none by its file.
static bool addBuild(const dl_phdr_info &object, FieldHasher &hasher) {
  llvm::StringRef id = getBuildID(object);
  hasher.add(id);
  if (!id.empty())
    return true;
  llvm::sys::fs::file_status status;
  if (llvm::sys::fs::status(
          *object.dlpi_name ? object.dlpi_name : "/proc/self/exe", status))
    return false;
  hasher.add(status.getUniqueID().getDevice());
  hasher.add(status.getUniqueID().getFile());
  hasher.add(status.getSize());
  hasher.add(status.getLastModificationTime().time_since_epoch().count());
  return true;
}

std::optional<CacheKey> runtime::getCompilerIdentity() {
  static const std::optional<CacheKey> identity =
      []() -> std::optional<CacheKey> {
    FieldHasher hasher;
    auto contents = [&](const dl_phdr_info &object) {
      return addContents(object, hasher);
    };
    auto build = [&](const dl_phdr_info &object) {
      return addBuild(object, hasher);
    };
    // The runtime and the passes may lie in two libraries.
    if (withObjectOf(reinterpret_cast<void *>(&getCacheKey), contents) &&
        withObjectOf(reinterpret_cast<void *>(&buildLotToCPUPipeline),
                     contents) &&
        withObjectOf(reinterpret_cast<void *>(&translateModuleToLLVMIR),
                     build) &&
        withObjectOf(reinterpret_cast<void *>(&llvm::sys::fs::current_path),
                     build))
      return hasher.finish();
    return std::nullopt;
  }();
  return identity;
}

//===----------------------------------------------------------------------===//
// The compilation
//===----------------------------------------------------------------------===//

std::optional<CacheKey>
runtime::getCacheKey(llvm::StringRef source, llvm::StringRef file,
                     const CompileOptions &options,
                     const llvm::orc::JITTargetMachineBuilder &target) {
  std::optional<CacheKey> compiler = getCompilerIdentity();
  if (!compiler)
    return std::nullopt;
  FieldHasher hasher;
  hasher.add(kFormat);
  hasher.add(
      {reinterpret_cast<const char *>(compiler->data()), compiler->size()});
  hasher.add(LLVM_VERSION_STRING);
  hasher.add(LOT_VERSION);
  hasher.add(options.target);
  hasher.add(options.chip);
  hasher.add(options.cpu);
  hasher.add(options.openmp);
  hasher.add(options.verify);
  hasher.add(options.optLevel);
  hasher.add(target.getTargetTriple().str());
  hasher.add(target.getCPU());
  auto features = target.getFeatures().getFeatures();
  llvm::sort(features);
  hasher.add(features.size());
  for (const std::string &feature : features)
    hasher.add(feature);
  // What schedules may be chosen by.
  for (int name :
       {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE})
    hasher.add(sysconf(name));
  hasher.add(file);
  hasher.add(source);
  return hasher.finish();
}
