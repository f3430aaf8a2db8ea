// SPDX-License-Identifier: Apache-2.0
// HCCL's operations between threads and between processes beside Open MPI and memcpy, measured in
// turns.
//
//   collectives_benchmark [--ranks N] [--sizes LIST] [--max SIZE] [--repeat R] [--budget MS]
//                         [--format table|json] [--mpi PROGRAM] [COLLECTIVE...]
//
// Each operation is waited for before the next; "send" is half of a message there and back. The
// size is that of the larger buffer of a rank. GB/s count what all ranks together have to move,
// half of what they read and write at least; memcpy copies as much, on all cores from 256 KiB on.
// The figures are medians of R measurements.
#include <sys/mman.h>
#include <sys/wait.h>

#include <map>
#include <memory>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "collectives_worker.hpp"

using namespace benchmark;

namespace {

struct Options {
  uint32_t ranks = 2;
  std::vector<uint64_t> sizes = {8,       1 << 10, 16 << 10, 64 << 10, 256 << 10,
                                 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20};
  int repeat = 5;
  double budget = 0.03;
  bool json = false;
  std::string mpi;  // none without it
  std::vector<int> collectives;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

unsigned coreCount() { return std::max(1U, std::thread::hardware_concurrency()); }

double bytesMoved(int collective, uint64_t bytes, uint32_t ranks) {
  const auto size = static_cast<double>(bytes);
  switch (collective) {
    case kSend:
      return size * (ranks / 2);
    case kReduceScatter:  // reads all, writes one part per rank
      return size * (ranks + 1) / 2;
    default:
      return size * ranks;
  }
}

// A program that carries out commands, one line each.
class Program {
 public:
  Program(std::vector<std::string> arguments, uint32_t ranks, uint64_t maxBytes)
      : file_(memfd_create("board", 0)) {
    if (file_ < 0 || ftruncate(file_, sizeof(Board)) != 0) {
      throw std::runtime_error("no shared memory");
    }
    arguments.push_back("/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(file_));
    Board* board = openBoard(arguments.back().c_str());
    pthread_barrierattr_t attributes;
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&board->barrier, &attributes, ranks);
    board->ranks = ranks;
    board->maxBytes = maxBytes;
    munmap(board, sizeof(Board));
    start(arguments);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    std::fclose(to_);
    std::fclose(from_);
    waitpid(process_, nullptr, 0);
    close(file_);
  }

  double measure(const Command& command) {
    std::fprintf(to_, "%d %llu %f\n", command.collective,
                 static_cast<unsigned long long>(command.bytes), command.budget);
    std::fflush(to_);
    double seconds = 0;
    if (std::fscanf(from_, "%lf", &seconds) != 1) {
      throw std::runtime_error("a program to be measured has ended");
    }
    return seconds;
  }

 private:
  void start(std::vector<std::string>& arguments) {
    int commands[2], answers[2];
    if (pipe2(commands, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0) {
      throw std::runtime_error("no pipe");
    }
    process_ = fork();
    if (process_ == 0) {
      std::vector<char*> argv;
      for (std::string& argument : arguments) argv.push_back(argument.data());
      argv.push_back(nullptr);
      dup2(commands[0], STDIN_FILENO);
      dup2(answers[1], STDOUT_FILENO);
      execvp(argv[0], argv.data());
      std::perror(argv[0]);
      _exit(2);
    }
    close(commands[0]);
    close(answers[1]);
    to_ = fdopen(commands[1], "w");
    from_ = fdopen(answers[0], "r");
  }

  const int file_;
  pid_t process_ = -1;
  FILE* to_ = nullptr;
  FILE* from_ = nullptr;
};

// The limit: one copy of as many bytes.
class Memcpy {
 public:
  Memcpy(uint32_t ranks, uint64_t maxBytes)
      : window_(std::max(kLeastWindow, maxBytes) * ranks),
        from_(allocate(window_)),
        to_(allocate(window_)) {}

  double measure(const Command& command, double moved) {
    const auto bytes = static_cast<uint64_t>(moved);
    run(bytes, 1);
    const double once = run(bytes, 2);
    return run(bytes, std::clamp(command.budget / once, 2.0, 5000.0));
  }

 private:
  static char* allocate(uint64_t bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      throw std::runtime_error("no memory of " + std::to_string(bytes) + " bytes");
    }
    madvise(memory, bytes, MADV_HUGEPAGE);
    std::memset(memory, 0x3f, bytes);
    return static_cast<char*>(memory);
  }

  double run(uint64_t bytes, double times) {
    const uint64_t cores = bytes < (256 << 10) ? 1 : coreCount();
    const uint64_t share = (bytes / cores + 63) / 64 * 64;
    const uint64_t places = std::max<uint64_t>(1, window_ / (share * cores));
    std::atomic<uint64_t> met{0};
    std::vector<double> seconds(cores);
    const auto work = [&](uint64_t core) {
      uint64_t round = 0;
      const auto meet = [&] {
        round += cores;
        for (met.fetch_add(1); met.load(std::memory_order_acquire) < round;) {
        }
      };
      meet();
      const double start = now();
      for (uint64_t i = 0; i < static_cast<uint64_t>(times); ++i) {
        const uint64_t begin = std::min(core * share, bytes);
        const uint64_t place = (next_ + i) % places * share * cores + begin;
        std::memcpy(to_ + place, from_ + place, std::min(share, bytes - begin));
        if (cores > 1) meet();
      }
      seconds[core] = (now() - start) / static_cast<double>(static_cast<uint64_t>(times));
    };
    std::vector<std::thread> helpers;
    for (uint64_t core = 1; core < cores; ++core) helpers.emplace_back(work, core);
    work(0);
    for (std::thread& helper : helpers) helper.join();
    next_ += static_cast<uint64_t>(times);
    return *std::max_element(seconds.begin(), seconds.end());
  }

  const uint64_t window_;
  char* const from_;
  char* const to_;
  uint64_t next_ = 0;
};

std::vector<std::string> mpirun(const Options& options, const std::string& binding) {
  std::vector<std::string> arguments = {"mpirun", "-n", std::to_string(options.ranks),
                                        "--bind-to", binding};
  if (options.ranks > coreCount()) arguments.push_back("--oversubscribe");
  arguments.push_back(options.mpi);
  return arguments;
}

class Benchmark {
 public:
  explicit Benchmark(const Options& options)
      : options_(options),
        maxBytes_(*std::max_element(options.sizes.begin(), options.sizes.end())),
        memcpy_(options.ranks, maxBytes_) {
    for (const char* where : {"threads", "processes"}) {
      start(where, {own("collectives_cann"), where});
    }
    if (!options.mpi.empty()) startMpi();
  }

  void run() {
    if (!options_.json) printHead();
    for (const int collective : options_.collectives) {
      for (const uint64_t bytes : options_.sizes) {
        if (bytes / sizeof(float) >= options_.ranks) {
          report(collective, bytes, measure(collective, bytes));
        }
      }
    }
  }

 private:
  using Figures = std::map<std::string, double>;  // seconds by where

  static std::string own(const std::string& name) {
    char path[4096];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    const std::string self(path, static_cast<size_t>(std::max<ssize_t>(length, 0)));
    return self.substr(0, self.rfind('/') + 1) + name;
  }

  void start(const std::string& where, const std::vector<std::string>& arguments) {
    programs_[where] = std::make_unique<Program>(arguments, options_.ranks, maxBytes_);
  }

  // With its ranks bound to cores or not, whichever is faster.
  void startMpi() {
    double best = 0;
    for (const char* binding : {"core", "none"}) {
      if (options_.ranks > coreCount() && std::string(binding) == "core") continue;
      auto program =
          std::make_unique<Program>(mpirun(options_, binding), options_.ranks, maxBytes_);
      double sum = 0;
      for (const uint64_t bytes : {uint64_t{1} << 10, std::min(maxBytes_, uint64_t{1} << 20)}) {
        std::vector<double> seconds;
        for (int i = 0; i < 5; ++i) {
          seconds.push_back(program->measure({kExchange, bytes, options_.budget}));
        }
        sum += median(seconds);
      }
      if (best == 0 || sum < best) {
        best = sum;
        binding_ = binding;
        programs_["openmpi"] = std::move(program);
      }
    }
  }

  Figures measure(int collective, uint64_t bytes) {
    std::map<std::string, std::vector<double>> seconds;
    const Command command{collective, bytes, options_.budget};
    for (int i = 0; i < options_.repeat; ++i) {
      for (const auto& [where, program] : programs_) {
        seconds[where].push_back(program->measure(command));
      }
      const double moved = bytesMoved(collective, bytes, options_.ranks);
      seconds["memcpy"].push_back(memcpy_.measure(command, moved));
    }
    Figures figures;
    for (const auto& [where, values] : seconds) figures[where] = median(values);
    return figures;
  }

  void printHead() const {
    std::printf("%u ranks on %u cores, medians of %d; Open MPI: %s\n", options_.ranks,
                coreCount(), options_.repeat,
                binding_.empty() ? "not measured" : ("--bind-to " + binding_).c_str());
    std::printf("%-13s %10s %18s %18s %18s %18s %17s %17s\n", "", "", "threads", "processes",
                "Open MPI", "memcpy", "of Open MPI's rate", "of memcpy's rate");
    std::printf("%-13s %10s", "collective", "bytes");
    for (int i = 0; i < 4; ++i) std::printf(" %11s %6s", "us", "GB/s");
    std::printf(" %8s %9s %8s %9s\n", "threads", "processes", "threads", "processes");
  }

  void report(int collective, uint64_t bytes, const Figures& figures) const {
    const double moved = bytesMoved(collective, bytes, options_.ranks);
    if (options_.json) {
      for (const auto& [where, seconds] : figures) {
        std::printf("{\"collective\":\"%s\",\"bytes\":%llu,\"ranks\":%u,\"where\":\"%s\","
                    "\"microseconds\":%.3f,\"GB/s\":%.3f}\n",
                    kNames[collective], static_cast<unsigned long long>(bytes), options_.ranks,
                    where.c_str(), seconds * 1e6, moved / seconds * 1e-9);
      }
    } else {
      std::printf("%-13s %10llu", kNames[collective], static_cast<unsigned long long>(bytes));
      for (const char* where : {"threads", "processes", "openmpi", "memcpy"}) {
        if (const auto found = figures.find(where); found != figures.end()) {
          std::printf(" %11.1f %6.2f", found->second * 1e6, moved / found->second * 1e-9);
        } else {
          std::printf(" %11s %6s", "-", "-");
        }
      }
      for (const char* peer : {"openmpi", "memcpy"}) {
        const auto found = figures.find(peer);
        for (const char* where : {"threads", "processes"}) {
          if (found != figures.end()) {
            std::printf(" %7.0f %%", 100 * found->second / figures.at(where));
          } else {
            std::printf(" %9s", "-");
          }
        }
      }
      std::printf("\n");
    }
    std::fflush(stdout);
  }

  const Options& options_;
  const uint64_t maxBytes_;
  Memcpy memcpy_;
  std::map<std::string, std::unique_ptr<Program>> programs_;
  std::string binding_;
};

uint64_t sizeOf(const std::string& text) {
  size_t end = 0;
  const double number = std::stod(text, &end);
  const std::string units = " KMG";
  const size_t unit =
      end < text.size() ? units.find(static_cast<char>(std::toupper(text[end]))) : 0;
  if (unit == std::string::npos || number < 1) throw std::runtime_error("no size: " + text);
  return static_cast<uint64_t>(number * static_cast<double>(uint64_t{1} << 10 * unit)) / 4 * 4;
}

Options parse(int argc, char** argv) {
  Options options;
  uint64_t most = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const auto known = std::find(std::begin(kNames), std::end(kNames), name);
    if (known != std::end(kNames)) {
      options.collectives.push_back(static_cast<int>(known - std::begin(kNames)));
      continue;
    }
    if (i + 1 == argc) throw std::runtime_error("unknown, or without its value: " + name);
    const std::string value = argv[++i];
    if (name == "--ranks") {
      options.ranks = static_cast<uint32_t>(std::stoul(value));
    } else if (name == "--sizes") {
      options.sizes.clear();
      std::istringstream list(value);
      for (std::string size; std::getline(list, size, ',');) options.sizes.push_back(sizeOf(size));
    } else if (name == "--max") {
      most = sizeOf(value);
    } else if (name == "--repeat") {
      options.repeat = std::stoi(value);
    } else if (name == "--budget") {
      options.budget = std::stod(value) / 1000;
    } else if (name == "--format") {
      options.json = value == "json";
    } else if (name == "--mpi") {
      options.mpi = value;
    } else {
      throw std::runtime_error("unknown: " + name);
    }
  }
  if (most > 0) {
    std::erase_if(options.sizes, [most](uint64_t size) { return size > most; });
    for (uint64_t next = uint64_t{1} << 30; next <= most; next *= 4) options.sizes.push_back(next);
  }
  if (options.ranks < 2 || options.ranks > kMaxRanks || options.sizes.empty() ||
      options.repeat < 1) {
    throw std::runtime_error("2 to 64 ranks, at least one size and one repetition");
  }
  if (options.collectives.empty()) {
    options.collectives.resize(std::size(kNames));
    std::iota(options.collectives.begin(), options.collectives.end(), 0);
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse(argc, argv);
    Benchmark(options).run();
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "collectives_benchmark: %s\n", e.what());
    return 2;
  }
}
