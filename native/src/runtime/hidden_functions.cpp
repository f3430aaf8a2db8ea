// SPDX-License-Identifier: Apache-2.0
#include "hidden_functions.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

namespace cann4j {
namespace {

#if defined(__x86_64__)
constexpr unsigned kBinding[] = {R_X86_64_JUMP_SLOT, R_X86_64_GLOB_DAT, R_X86_64_64};
#else
constexpr unsigned kBinding[] = {R_AARCH64_JUMP_SLOT, R_AARCH64_GLOB_DAT, R_AARCH64_ABS64};
#endif

// The dynamic section of a loaded object.
class Object {
 public:
  explicit Object(const link_map* map) : map_(map) {
    for (const ElfW(Dyn)* entry = map->l_ld; entry != nullptr && entry->d_tag != DT_NULL; ++entry) {
      switch (entry->d_tag) {
        case DT_SYMTAB:
          symbols_ = static_cast<ElfW(Sym)*>(at(entry->d_un.d_ptr));
          break;
        case DT_STRTAB:
          strings_ = static_cast<const char*>(at(entry->d_un.d_ptr));
          break;
        case DT_GNU_HASH:
          hash_ = static_cast<const uint32_t*>(at(entry->d_un.d_ptr));
          break;
        case DT_RELA:
          relocations_[0].begin = static_cast<const ElfW(Rela)*>(at(entry->d_un.d_ptr));
          break;
        case DT_RELASZ:
          relocations_[0].bytes = entry->d_un.d_val;
          break;
        case DT_JMPREL:
          relocations_[1].begin = static_cast<const ElfW(Rela)*>(at(entry->d_un.d_ptr));
          break;
        case DT_PLTRELSZ:
          relocations_[1].bytes = entry->d_un.d_val;
          break;
      }
    }
  }

  bool isComplete() const { return symbols_ != nullptr && strings_ != nullptr; }
  ElfW(Sym)* symbols() const { return symbols_; }
  const char* name(const ElfW(Sym)& symbol) const { return strings_ + symbol.st_name; }
  uintptr_t address(const ElfW(Sym)& symbol) const { return map_->l_addr + symbol.st_value; }
  const char* path() const { return map_->l_name; }

  size_t symbolCount() const {
    if (hash_ == nullptr) {
      return 0;
    }
    const uint32_t buckets = hash_[0];
    const uint32_t first = hash_[1];
    const uint32_t* bucket = hash_ + 4 + hash_[2] * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t* chain = bucket + buckets;
    uint32_t last = *std::max_element(bucket, chain);
    if (buckets == 0 || last < first) {
      return first;
    }
    while ((chain[last - first] & 1) == 0) {
      ++last;
    }
    return last + 1;
  }

  template <class Visit>
  void forEachRelocation(const Visit& visit) const {
    for (const auto& [begin, bytes] : relocations_) {
      for (size_t i = 0; begin != nullptr && i < bytes / sizeof(ElfW(Rela)); ++i) {
        const auto type = static_cast<unsigned>(ELF64_R_TYPE(begin[i].r_info));
        if (std::find(std::begin(kBinding), std::end(kBinding), type) != std::end(kBinding)) {
          visit(symbols_[ELF64_R_SYM(begin[i].r_info)],
                reinterpret_cast<uintptr_t*>(map_->l_addr + begin[i].r_offset));
        }
      }
    }
  }

 private:
  struct Relocations {
    const ElfW(Rela)* begin = nullptr;
    size_t bytes = 0;
  };

  // The C library has relocated these addresses, or not.
  void* at(uintptr_t address) const {
    return reinterpret_cast<void*>(address < map_->l_addr ? address + map_->l_addr : address);
  }

  const link_map* map_;
  ElfW(Sym)* symbols_ = nullptr;
  const char* strings_ = nullptr;
  const uint32_t* hash_ = nullptr;
  Relocations relocations_[2];
};

// Makes memory of a loaded object writable, and gives it back the protection that it had.
class Unprotected {
 public:
  Unprotected(const void* begin, size_t bytes) {
    const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto address = reinterpret_cast<uintptr_t>(begin);
    begin_ = address / page * page;
    end_ = (address + bytes + page - 1) / page * page;
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* self) {
          static_cast<Unprotected*>(self)->look(*info);
          return 0;
        },
        this);
    isWritable_ = mprotect(reinterpret_cast<void*>(begin_), end_ - begin_,
                           protection_ | PROT_READ | PROT_WRITE) == 0;
  }
  Unprotected(const Unprotected&) = delete;
  ~Unprotected() { mprotect(reinterpret_cast<void*>(begin_), end_ - begin_, protection_); }

  bool isWritable() const { return isWritable_; }

 private:
  void look(const dl_phdr_info& info) {
    for (int i = 0; i < info.dlpi_phnum; ++i) {
      const ElfW(Phdr)& header = info.dlpi_phdr[i];
      const uintptr_t start = info.dlpi_addr + header.p_vaddr;
      const bool isInside = begin_ < start + header.p_memsz && start < end_;
      if (header.p_type == PT_LOAD && isInside) {
        protection_ = ((header.p_flags & PF_R) != 0 ? PROT_READ : 0) |
                      ((header.p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
                      ((header.p_flags & PF_X) != 0 ? PROT_EXEC : 0);
      } else if (header.p_type == PT_GNU_RELRO && isInside) {
        protection_ = PROT_READ;
      }
    }
  }

  uintptr_t begin_;
  uintptr_t end_;
  int protection_ = PROT_READ;
  bool isWritable_ = false;
};

struct Hidden {
  uintptr_t address;
  const char* name;
};

void unbind(const Object& object, const std::vector<Hidden>& hidden) {
  object.forEachRelocation([&](const ElfW(Sym)& symbol, uintptr_t* slot) {
    if (symbol.st_shndx != SHN_UNDEF) {
      return;
    }
    const auto found = std::find_if(hidden.begin(), hidden.end(), [&](const Hidden& function) {
      return *slot == function.address && std::strcmp(object.name(symbol), function.name) == 0;
    });
    if (found == hidden.end()) {
      return;
    }
    if (ELF64_ST_BIND(symbol.st_info) == STB_WEAK) {
      if (const Unprotected slots(slot, sizeof(*slot)); slots.isWritable()) {
        *slot = 0;
      }
      return;
    }
    const char* program = program_invocation_name;
    std::fprintf(stderr, "%s: symbol lookup error: %s: undefined symbol: %s\n", program,
                 *object.path() == '\0' ? program : object.path(), found->name);
    _exit(127);
  });
}

// Empties the entries of the functions in the library's table of symbols.
std::vector<Hidden> hide(const Object& library, std::span<const char* const> names) {
  std::vector<Hidden> hidden;
  const size_t count = library.symbolCount();
  const Unprotected table(library.symbols(), count * sizeof(ElfW(Sym)));
  for (size_t i = 0; i < count && table.isWritable(); ++i) {
    ElfW(Sym)& symbol = library.symbols()[i];
    const char* name = library.name(symbol);
    if (symbol.st_shndx != SHN_UNDEF &&
        std::any_of(names.begin(), names.end(),
                    [&](const char* other) { return std::strcmp(other, name) == 0; })) {
      hidden.push_back({library.address(symbol), name});
      symbol.st_value = 0;
      symbol.st_shndx = SHN_UNDEF;
    }
  }
  return hidden;
}

}  // namespace

void hideFunctions(std::span<const char* const> names) {
  Dl_info info;
  link_map* own = nullptr;
  if (dladdr1(reinterpret_cast<const void*>(&hideFunctions), &info,
              reinterpret_cast<void**>(&own), RTLD_DL_LINKMAP) == 0 ||
      own == nullptr) {
    return;
  }
  const Object library(own);
  if (!library.isComplete()) {
    return;
  }
  const std::vector<Hidden> hidden = hide(library, names);
  const link_map* map = own;
  while (map->l_prev != nullptr) {
    map = map->l_prev;
  }
  for (; map != nullptr && !hidden.empty(); map = map->l_next) {
    if (const Object object(map); map != own && object.isComplete()) {
      unbind(object, hidden);
    }
  }
}

}  // namespace cann4j
