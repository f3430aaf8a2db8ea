// SPDX-License-Identifier: Apache-2.0
// Flash attention beside the multiply-add peak that the same threads reach in the same run: a table of shapes, or one
// shape where an option says something of it. `--help` lists the options.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "attention_case.hpp"
#include "runtime/thread_pool.hpp"

using namespace cann4j::attention;

namespace {

constexpr const char* kHelp =
    R"(attention_benchmark [OPTION VALUE]...
  --seq-length S, --documents M, --heads N, --kv-heads N, --head-dim D, --value-dim D
                      one shape instead of the table, in all types, full and causal
  --window W          each row sees W keys up to its own
  --mask 1            a mask tensor hides what the other bounds hide too
  --bias KIND         1 and 2: tensors, 3 and 4: slopes (see BiasKind)
  --drop PERCENT      of the probabilities
  --type NAME         only fp32, bf16 or fp16
  --attend NAME       only causal or full
  --pass forward      no backward
  --threads T         instead of one and all
  --repeat R          rounds, of which medians are shown (3)
  --isa LEVEL         instruction set
  --format NAME       text, or json: one object a line
  --peak              no attention, only the multiply-add peak
FLOPs are counted over allowed (query, key) pairs only: 2 (D + Dv) each forward, 2.5 times as many backward.
)";

struct Options {
  Shape shape;
  bool oneShape = false, peakOnly = false, json = false;
  std::vector<ElementType> types = {ElementType::Float32, ElementType::BFloat16, ElementType::Float16};
  std::vector<bool> causal = {false, true};
  int threads = 0;
  int repeat = 3;
  std::string isa;
};

struct Row {
  Shape shape;
  bool manyThreadsOnly = false, once = false;
};

// What the table shows. FLOPs of a row are alike as far as the lengths allow.
std::vector<Row> tableRows() {
  using enum ElementType;
  std::vector<Row> rows;
  for (ElementType type : {Float32, BFloat16, Float16}) rows.push_back({{.type = type, .length = 4096}});
  for (ElementType type : {Float32, BFloat16}) {
    rows.push_back({{.type = type, .causal = false, .length = 4096, .heads = 4, .kvHeads = 4}});
    rows.push_back({{.type = type, .length = 4096, .heads = 16, .kvHeads = 16, .dim = 64, .valueDim = 64}});
    rows.push_back({{.type = type, .length = 4096, .dim = 192}});
    rows.push_back({{.type = type, .length = 4096, .heads = 4, .kvHeads = 4, .dim = 256, .valueDim = 256}});
    rows.push_back({{.type = type, .length = 4096, .kvHeads = 2}});
    rows.push_back({{.type = type, .length = 16384, .documents = 32}});
    rows.push_back({{.type = type, .length = 8192, .heads = 1, .kvHeads = 1}});
  }
  for (int64_t length : {128, 512, 1024, 2048, 8192}) rows.push_back({{.length = length}, false, length > 4096});
  rows.push_back({{.length = 32768, .heads = 1, .kvHeads = 1}, true, true});
  rows.push_back({{.length = 131072, .heads = 1, .kvHeads = 1, .backward = false}, true, true});
  return rows;
}

std::vector<Row> rowsOf(const Options& o) {
  if (o.peakOnly) return {};
  if (!o.oneShape) return tableRows();
  std::vector<Row> rows;
  for (ElementType type : o.types) {
    for (bool causal : o.causal) {
      rows.push_back({o.shape});
      rows.back().shape.type = type;
      rows.back().shape.causal = causal;
    }
  }
  return rows;
}

Workers poolWorkers(int threads) {
  return {threads, [](int64_t count, const std::function<void(int64_t)>& body) {
            cann4j::ThreadPool::instance().parallelFor(count, body);
          }};
}

double peakGflops(const Kernels& kernels, const Workers& workers) {
  constexpr int64_t kIterations = 20'000'000;
  std::vector<double> flops(workers.threads);
  const double start = seconds();
  workers.parallelFor(workers.threads, [&](int64_t i) { flops[i] = kernels.multiplyAddPeak(kIterations); });
  double total = 0;
  for (double f : flops) total += f;
  return total / (seconds() - start) / 1e9;
}

void printPeak(const Options& o, const Kernels& kernels, int threads) {
  std::vector<double> peaks;
  for (int round = 0; round < o.repeat; ++round) peaks.push_back(peakGflops(kernels, poolWorkers(threads)));
  std::printf(o.json ? R"({"isa":"%s","threads":%d,"peakGflops":%.2f})" : "%s, threads %d: peak %.1f GFLOP/s",
              kernels.name, threads, median(peaks));
  std::printf("\n");
}

void printHeader(const Kernels& kernels, int repeat) {
  std::printf("%s, medians of %d; peak: fp32 multiply-adds of the same threads between the passes\n", kernels.name,
              repeat);
  std::printf("%-5s %-6s %6s %5s %7s %7s %7s  %-16s %9s %8s %8s %6s\n", "type", "attend", "S", "docs", "N/kvN", "D/Dv",
              "threads", "pass", "ms", "GFLOP/s", "peak", "%");
}

void printLine(bool json, const Shape& s, int threads, const char* pass, double flops, double time, double peak) {
  const double rate = flops / time / 1e9;
  const auto number = [](int64_t value) { return static_cast<long long>(value); };
  if (json) {
    std::printf(R"({"type":"%s","causal":%s,"pass":"%s","S":%lld,"documents":%lld,"N":%lld,"kvN":%lld,"D":%lld,)"
                R"("Dv":%lld,"threads":%d,"ms":%.4f,"gflops":%.2f,"peakGflops":%.2f,"ratio":%.4f})"
                "\n",
                nameOf(s.type), s.causal ? "true" : "false", pass, number(s.length), number(s.documents),
                number(s.heads), number(s.kvHeads), number(s.dim), number(s.valueDim), threads, time * 1e3, rate, peak,
                rate / peak);
  } else {
    const std::string heads = std::to_string(s.heads) + "/" + std::to_string(s.kvHeads);
    const std::string dims = std::to_string(s.dim) + "/" + std::to_string(s.valueDim);
    std::printf("%-5s %-6s %6lld %5lld %7s %7s %7d  %-16s %9.2f %8.1f %8.1f %6.1f\n", nameOf(s.type),
                s.causal ? "causal" : "full", number(s.length), number(s.documents), heads.c_str(), dims.c_str(),
                threads, pass, time * 1e3, rate, peak, rate / peak * 100);
  }
}

void measure(const Options& o, const Kernels& kernels, int threads, const Row& row) {
  const Workers workers = poolWorkers(threads);
  Case shape(row.shape);
  std::vector<double> peaks;
  for (int round = 0; round < (row.once ? 1 : o.repeat); ++round) {
    peaks.push_back(peakGflops(kernels, workers));
    shape.measure(kernels, workers);
    peaks.push_back(peakGflops(kernels, workers));
  }
  const double peak = median(peaks);
  const double forward = median(shape.forward());
  printLine(o.json, row.shape, threads, "forward", shape.forwardFlops(), forward, peak);
  if (row.shape.backward) {
    const double backward = median(shape.backward());
    printLine(o.json, row.shape, threads, "backward", shape.backwardFlops(), backward, peak);
    printLine(o.json, row.shape, threads, "forward+backward", shape.forwardFlops() + shape.backwardFlops(),
              forward + backward, peak);
  }
  std::fflush(stdout);
}

[[noreturn]] void refuse(const std::string& why) {
  std::fprintf(stderr, "attention_benchmark: %s; --help lists the options\n", why.c_str());
  std::exit(2);
}

bool readName(Options& o, const std::string& option, const std::string& value) {
  if (option == "--isa") {
    o.isa = value;
  } else if (option == "--format" && (value == "text" || value == "json")) {
    o.json = value == "json";
  } else if (option == "--pass" && value == "forward") {
    o.shape.backward = false;
    o.oneShape = true;
  } else if (option == "--attend" && (value == "causal" || value == "full")) {
    o.causal = {value == "causal"};
    o.oneShape = true;
  } else if (option == "--type") {
    std::erase_if(o.types, [&](ElementType type) { return value != nameOf(type); });
    o.oneShape = true;
    return !o.types.empty();
  } else {
    return false;
  }
  return true;
}

bool readNumber(Options& o, const std::string& option, int64_t value) {
  Shape& s = o.shape;
  int64_t* ofShape = option == "--seq-length"  ? &s.length
                     : option == "--heads"     ? &s.heads
                     : option == "--kv-heads"  ? &s.kvHeads
                     : option == "--head-dim"  ? &s.dim
                     : option == "--value-dim" ? &s.valueDim
                     : option == "--documents" ? &s.documents
                     : option == "--window"    ? &s.window
                     : option == "--mask"      ? &s.mask
                     : option == "--bias"      ? &s.bias
                     : option == "--drop"      ? &s.drop
                                               : nullptr;
  int* number = option == "--threads" ? &o.threads : option == "--repeat" ? &o.repeat : nullptr;
  if (value <= 0 || (!ofShape && !number)) return false;
  if (ofShape) {
    *ofShape = value;
    o.oneShape = true;
  } else {
    *number = static_cast<int>(value);
  }
  return true;
}

Options parse(int argc, char** argv) {
  Options o;
  o.shape.kvHeads = o.shape.valueDim = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--help") {
      std::fputs(kHelp, stdout);
      std::exit(0);
    } else if (option == "--peak") {
      o.peakOnly = true;
    } else if (i + 1 == argc || (!readName(o, option, argv[i + 1]) && !readNumber(o, option, std::atoll(argv[i + 1])))) {
      refuse(option + " is unknown or lacks a value that it takes");
    } else {
      ++i;
    }
  }
  Shape& s = o.shape;
  if (s.kvHeads == 0) s.kvHeads = s.heads;
  if (s.valueDim == 0) s.valueDim = s.dim;
  if (s.heads % s.kvHeads != 0) refuse("heads must be a multiple of kv heads");
  if (s.valueDim > s.dim) refuse("the value dim is at most the head dim");
  if (s.documents > s.length || s.bias > 4 || s.drop > 99) {
    refuse("documents are at most the length, the bias kind is at most 4, less than all is dropped");
  }
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  std::string why = options.isa + " is no instruction-set level of this machine";
  const Kernels* kernels = options.isa.empty() ? selectKernels(&why) : kernelsOf(options.isa);
  if (!kernels) {
    std::fprintf(stderr, "attention_benchmark: %s\n", why.c_str());
    return 2;
  }
  const int all = cann4j::ThreadPool::instance().threads();
  std::vector<int> threadCounts = {1};
  if (all > 1) threadCounts.push_back(all);
  if (options.threads > 0) threadCounts = {std::min(options.threads, all)};
  if (!options.json && !options.peakOnly) printHeader(*kernels, options.repeat);
  for (int threads : threadCounts) {
    if (options.peakOnly) printPeak(options, *kernels, threads);
    for (const Row& row : rowsOf(options)) {
      if (threads == threadCounts.back() || !row.manyThreadsOnly) measure(options, *kernels, threads, row);
    }
  }
}
