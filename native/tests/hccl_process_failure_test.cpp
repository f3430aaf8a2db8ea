// SPDX-License-Identifier: Apache-2.0
// Communicators between processes that contradict each other, leave, end or are killed.
#include <dirent.h>

#include <fstream>

#include "processes.hpp"

using processes::Process;
using processes::Shape;
using ranks::DeviceMemory;
using ranks::OwnStream;
using ranks::Rank;

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kFp32 = HCCL_DATA_TYPE_FP32;
// The tests' time limit is three times that.
const auto kPromptly = std::chrono::seconds(10) * check::slowness();

std::string processWord(const std::string& process) { return "process " + process; }

void expectWords(const std::string& words, const std::vector<std::string>& expected) {
  for (const std::string& word : expected) {
    if (words.find(word) == std::string::npos) {
      check::failed(__FILE__, __LINE__, "no \"" + word + "\" in: " + words);
    }
  }
}

HcclResult asyncError(HcclComm comm) {
  HcclResult error = HCCL_SUCCESS;
  CHECK_OK(HcclGetCommAsyncError(comm, &error));
  return error;
}

void waitForAsyncError(HcclComm comm) {
  const auto start = Clock::now();
  while (asyncError(comm) == HCCL_SUCCESS) {
    CHECK(Clock::now() - start < kPromptly);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CHECK_EQ(asyncError(comm), HCCL_E_REMOTE);
}

// A communicator and stream that the body may leave behind as they are.
void join(const Process& process, const HcclRootInfo& rootInfo, uint32_t rank,
          const std::function<void(const Rank&)>& body) {
  aclrtStream stream = nullptr;
  CHECK_OK(aclrtCreateStream(&stream));
  HcclComm comm = nullptr;
  CHECK_OK(HcclCommInitRootInfo(process.size(), &rootInfo, rank, &comm));
  const Rank r{rank, process.size(), comm, stream};
  CHECK_OK(HcclBarrier(comm, stream));
  r.synchronize();
  body(r);
}

// The process `victim` dies in the midst of it; what all others see is checked by the body, whose
// second argument is the dead process.
void withVictim(const char* test, const Shape& shape, size_t victim,
                const std::function<void(const Rank&, const std::string&)>& body) {
  processes::start(test, shape, {victim}, [&](const Process& process) {
    const HcclRootInfo rootInfo = process.rootInfo();
    std::string dead;
    if (process.index() == victim) {
      process.tell(std::to_string(getpid()));
    } else {
      dead = process.hear();
    }
    process.onThreads([&](uint32_t rank) {
      join(process, rootInfo, rank, [&](const Rank& r) {
        if (process.index() == victim) {
          std::this_thread::sleep_for(std::chrono::milliseconds(50) * check::slowness());
          kill(getpid(), SIGKILL);
        }
        body(r, dead);
        CHECK_FAILS(HCCL_E_REMOTE, HcclBarrier(r.comm, r.stream), processWord(dead));
        CHECK_OK(HcclCommDestroy(r.comm));
      });
    });
  });
}

int count(const char* directory) {
  int entries = 0;
  DIR* open = opendir(directory);
  CHECK(open != nullptr);
  while (readdir(open) != nullptr) {
    ++entries;
  }
  closedir(open);
  return entries;
}

// What a process has open: files, threads, and mappings of device memory.
std::vector<int> holdings() {
  int mappings = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    mappings += line.find("cann4j-device") != std::string::npos ? 1 : 0;
  }
  return {count("/proc/self/fd"), count("/proc/self/task"), mappings};
}

}  // namespace

TEST(a_killed_process_ends_what_waits_on_every_survivor) {
  // Once elsewhere, once where the communicator meets.
  for (const auto& [shape, victim] :
       std::vector<std::pair<Shape, size_t>>{{{{0}, {1}, {2, 3}}, 1}, {{{1}, {2}, {0, 3}}, 0}}) {
    withVictim(THIS_TEST, shape, victim, [&](const Rank& r, const std::string& dead) {
      DeviceMemory data(std::vector<float>(4, 1.0f));
      const auto start = Clock::now();
      const HcclResult result = HcclAllReduce(data.get(), data.get(), 4, kFp32, HCCL_REDUCE_SUM,
                                              r.comm, r.stream);
      const int code = aclrtSynchronizeStream(r.stream);
      if (result == HCCL_SUCCESS) {
        CHECK_EQ(code, ACL_ERROR_RT_AICPU_EXCEPTION);
      } else {  // it died before the call
        CHECK(result == HCCL_E_REMOTE && check::isEmulated());
      }
      expectWords(ranks::recentWords(), {"rank 1", processWord(dead), "has ended"});
      CHECK(Clock::now() - start < kPromptly);
      CHECK_EQ(asyncError(r.comm), HCCL_E_REMOTE);
    });
  }
}

TEST(a_killed_process_is_noticed_without_calls) {
  for (size_t victim : {size_t{0}, size_t{2}}) {
    withVictim(THIS_TEST, {{0}, {1}, {2}}, victim,
               [](const Rank& r, const std::string&) { waitForAsyncError(r.comm); });
  }
}

TEST(a_process_that_just_exits_is_named) {
  processes::start(THIS_TEST, {{0}, {1}, {2}}, {}, [](const Process& process) {
    const HcclRootInfo rootInfo = process.rootInfo();
    process.onThreads([&](uint32_t rank) {
      join(process, rootInfo, rank, [&](const Rank& r) {
        if (rank == 2) {
          DeviceMemory data(std::vector<float>(4, 1.0f));
          CHECK_OK(HcclRecv(data.get(), 4, kFp32, 0, r.comm, r.stream));
          std::exit(0);  // with an operation under way
        }
        waitForAsyncError(r.comm);
        CHECK_FAILS(HCCL_E_REMOTE, HcclBarrier(r.comm, r.stream), "rank 2 (process",
                    "has ended without destroying its communicator");
        CHECK_OK(HcclCommDestroy(r.comm));
      });
    });
  });
}

TEST(who_waits_for_one_that_left_is_told) {
  for (uint32_t leaver : {0u, 2u}) {
    processes::start(THIS_TEST, {{0}, {1}, {2}}, {}, [&](const Process& process) {
      const HcclRootInfo rootInfo = process.rootInfo();
      process.onThreads([&](uint32_t rank) {
        join(process, rootInfo, rank, [&](const Rank& r) {
          if (rank == leaver) {
            CHECK_OK(HcclCommDestroy(r.comm));
            return;
          }
          DeviceMemory data(std::vector<float>(4, 1.0f));
          const HcclResult result = HcclAllReduce(data.get(), data.get(), 4, kFp32,
                                                  HCCL_REDUCE_SUM, r.comm, r.stream);
          const int code = aclrtSynchronizeStream(r.stream);
          CHECK((result == HCCL_SUCCESS && code == ACL_ERROR_RT_AICPU_EXCEPTION) ||
                result == HCCL_E_REMOTE);
          expectWords(ranks::recentWords(), {"rank " + std::to_string(leaver), "destroyed"});
          process.meet();
          CHECK_OK(HcclCommDestroy(r.comm));
        });
        if (rank == leaver) {
          process.meet();
        }
      });
    });
  }
}

TEST(a_process_that_never_joins_is_named_on_all_others) {
  const ranks::TimeLimit limit(700);
  processes::start(THIS_TEST, {{0}, {1}, {2}, {3}}, {}, [&](const Process& process) {
    const HcclRootInfo rootInfo = process.rootInfo();
    process.onThreads([&](uint32_t rank) {
      HcclComm comm = nullptr;
      if (rank == 3) {
        process.meet();
        // The others have given up long since.
        CHECK_FAILS(HCCL_E_PARA, HcclCommInitRootInfo(4, &rootInfo, rank, &comm), "used up");
        return;
      }
      CHECK_FAILS(HCCL_E_TIMEOUT, HcclCommInitRootInfo(4, &rootInfo, rank, &comm),
                  "rank 3 of 4 did not come", limit.words(), "CANN4J_CPU_HCCL_TIMEOUT_MS");
      process.meet();
    });
    if (process.index() == 0) {
      process.hear();  // stays alive until the last one is through
    } else if (process.index() == 3) {
      process.tell("done");
    }
  });
}

TEST(a_process_that_ends_while_joining_is_named_on_all_others) {
  processes::start(THIS_TEST, {{0}, {1}, {2}, {3}}, {2}, [](const Process& process) {
    const HcclRootInfo rootInfo = process.rootInfo();
    process.onThreads([&](uint32_t rank) {
      HcclComm comm = nullptr;
      if (rank == 3) {
        process.hear();
        process.meet(1);
        return;
      }
      if (rank == 2) {
        std::thread([&] {
          // It has joined by then, without which nobody could know that it ends.
          std::this_thread::sleep_for(std::chrono::milliseconds(check::isEmulated() ? 10000 : 100));
          process.tell(std::to_string(getpid()));
          kill(getpid(), SIGKILL);
        }).detach();
      }
      const auto start = Clock::now();
      CHECK_EQ(HcclCommInitRootInfo(4, &rootInfo, rank, &comm), HCCL_E_REMOTE);
      const std::string words = ranks::recentWords();
      CHECK(Clock::now() - start < kPromptly);
      expectWords(words, {"rank 2 (process " + process.hear() + ") ended before"});
      process.meet(1);
    });
  });
}

TEST(a_forked_child_does_not_keep_a_connection_alive) {
  processes::start(THIS_TEST, {{0}, {1}}, {1}, [](const Process& process) {
    const HcclRootInfo rootInfo = process.rootInfo();
    process.onThreads([&](uint32_t rank) {
      join(process, rootInfo, rank, [&](const Rank& r) {
        if (rank == 1) {
          const pid_t child = fork();
          if (child == 0) {
            sleep(20);
            _exit(0);
          }
          process.tell(std::to_string(child));
          kill(getpid(), SIGKILL);
        }
        const pid_t child = std::stoi(process.hear());
        waitForAsyncError(r.comm);
        CHECK_EQ(kill(child, SIGKILL), 0);
        CHECK_OK(HcclCommDestroy(r.comm));
      });
    });
  });
}

TEST(the_process_of_the_root_may_wait_without_a_rank) {
  const ranks::TimeLimit limit(700);
  processes::start(THIS_TEST, {{0}, {1}, {2}}, {}, [](const Process& process) {
    const HcclRootInfo rootInfo = process.rootInfo();
    process.onThreads([&](uint32_t rank) {
      HcclComm comm = nullptr;
      if (rank != 0) {
        CHECK_FAILS(HCCL_E_TIMEOUT, HcclCommInitRootInfo(3, &rootInfo, rank, &comm),
                    "rank 0 of 3 did not come");
      }
      process.meet();
    });
  });
}

TEST(a_rank_that_never_calls_is_named_on_all_others) {
  const ranks::TimeLimit limit(700);
  for (const Shape& shape : {Shape{{0}, {1}, {2}}, Shape{{2}, {1}, {0}}}) {
    processes::start(THIS_TEST, shape, {}, [&](const Process& process) {
      const HcclRootInfo rootInfo = process.rootInfo();
      process.onThreads([&](uint32_t rank) {
        join(process, rootInfo, rank, [&](const Rank& r) {
          DeviceMemory data(std::vector<float>(4, 1.0f));
          if (rank != 2) {
            CHECK_OK(HcclAllReduce(data.get(), data.get(), 4, kFp32, HCCL_REDUCE_SUM, r.comm,
                                   r.stream));
            CHECK_FAILS(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(r.stream),
                        "rank 2 is missing", "HcclAllReduce(count 4", limit.words());
          }
          waitForAsyncError(r.comm);
          CHECK_FAILS(HCCL_E_REMOTE, HcclBarrier(r.comm, r.stream), "rank 2 is missing");
          CHECK_OK(HcclCommDestroy(r.comm));
          process.meet();
        });
      });
    });
  }
}

TEST(a_rank_that_makes_no_first_call_is_named_on_all_others) {
  const ranks::TimeLimit limit(700);
  for (const Shape& shape : {Shape{{0}, {1}, {2}}, Shape{{2}, {1}, {0}}}) {
    processes::start(THIS_TEST, shape, {}, [&](const Process& process) {
      const HcclRootInfo rootInfo = process.rootInfo();
      process.onThreads([&](uint32_t rank) {
        ranks::onCommunicator(3, rootInfo, rank, [&](const Rank& r) {
          DeviceMemory data(std::vector<float>(4, 1.0f));
          if (rank != 2) {
            const HcclResult result = HcclAllReduce(data.get(), data.get(), 4, kFp32,
                                                    HCCL_REDUCE_SUM, r.comm, r.stream);
            CHECK(result == HCCL_E_TIMEOUT || result == HCCL_E_REMOTE);
            expectWords(ranks::recentWords(),
                        {"first calls", "rank 2 has made no call", limit.words()});
          }
          waitForAsyncError(r.comm);
          CHECK_FAILS(HCCL_E_REMOTE, HcclBarrier(r.comm, r.stream), "rank 2 has made no call");
          process.meet();
        });
      });
    });
  }
}

TEST(a_killed_process_ends_the_first_calls_of_all_others) {
  for (size_t victim : {size_t{0}, size_t{2}}) {
    processes::start(THIS_TEST, {{0}, {1}, {2}}, {victim}, [&](const Process& process) {
      const HcclRootInfo rootInfo = process.rootInfo();
      std::string dead;
      if (process.index() == victim) {
        process.tell(std::to_string(getpid()));
      } else {
        dead = process.hear();
      }
      process.onThreads([&](uint32_t rank) {
        ranks::onCommunicator(3, rootInfo, rank, [&](const Rank& r) {
          if (process.index() == victim) {
            std::this_thread::sleep_for(std::chrono::milliseconds(100) * check::slowness());
            kill(getpid(), SIGKILL);
          }
          const auto start = Clock::now();
          CHECK_FAILS(HCCL_E_REMOTE, HcclBarrier(r.comm, r.stream), processWord(dead),
                      "has ended");
          CHECK(Clock::now() - start < kPromptly);
        });
      });
    });
  }
}

TEST(a_process_that_is_stopped_does_not_stop_the_others) {
  const ranks::TimeLimit limit(500);
  processes::start(THIS_TEST, {{0}, {1}}, {0}, [](const Process& process) {
    const HcclRootInfo rootInfo = process.rootInfo();
    pid_t stopped = getpid();
    if (process.index() == 0) {
      process.tell(std::to_string(stopped));
    } else {
      stopped = std::stoi(process.hear());
    }
    process.onThreads([&](uint32_t rank) {
      join(process, rootInfo, rank, [&](const Rank& r) {
        if (rank == 0) {
          process.hear();
          kill(stopped, SIGSTOP);
          std::this_thread::sleep_for(std::chrono::seconds(60));
        }
        process.tell("stop");
        CHECK_OK(HcclBarrier(r.comm, r.stream));
        CHECK_FAILS(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(r.stream),
                    processWord(std::to_string(stopped)), "does not answer", "HcclBarrier()");
        CHECK_FAILS(HCCL_E_REMOTE, HcclBarrier(r.comm, r.stream), "does not answer");
        CHECK_OK(HcclCommDestroy(r.comm));
        kill(stopped, SIGKILL);
      });
    });
  });
}

TEST(processes_that_disagree_learn_both_calls) {
  processes::start(THIS_TEST, {{0}, {1}, {2}}, {}, [](const Process& process) {
    for (bool collective : {true, false}) {
      const HcclRootInfo rootInfo = process.rootInfo();
      process.onThreads([&](uint32_t rank) {
        join(process, rootInfo, rank, [&](const Rank& r) {
          DeviceMemory data(std::vector<float>(16, static_cast<float>(rank)));
          std::vector<std::string> words;
          HcclResult result = HCCL_SUCCESS;
          if (collective) {
            words = {"rank 2 called HcclAllReduce(count 5, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM)",
                     "HcclAllReduce(count 4, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM)"};
            result = HcclAllReduce(data.get(), data.get(), rank == 2 ? 5 : 4, kFp32,
                                   HCCL_REDUCE_SUM, r.comm, r.stream);
          } else {
            words = {"rank 1 called HcclSend(count 4, HCCL_DATA_TYPE_FP32) to rank 2",
                     "rank 2 called HcclRecv(count 5, HCCL_DATA_TYPE_FP32) from rank 1"};
            if (rank == 1) {
              result = HcclSend(data.get(), 4, kFp32, 2, r.comm, r.stream);
            } else if (rank == 2) {
              result = HcclRecv(data.get(), 5, kFp32, 1, r.comm, r.stream);
            }
          }
          CHECK(result == HCCL_SUCCESS || result == HCCL_E_REMOTE);
          aclrtSynchronizeStream(r.stream);
          waitForAsyncError(r.comm);
          CHECK_EQ(HcclBarrier(r.comm, r.stream), HCCL_E_REMOTE);
          expectWords(ranks::recentWords(), words);
          CHECK(data.download<float>() == std::vector<float>(16, static_cast<float>(rank)));
          CHECK_OK(HcclCommDestroy(r.comm));
        });
      });
      process.meet();
    }
  });
}

TEST(processes_that_contradict_each_other_form_nothing) {
  struct Case {
    uint32_t sizeOfLast;
    uint32_t rankOfLast;
    int32_t deviceOfLast;
    std::string words;
  };
  const std::vector<Case> cases{{3, 1, 1, "number of ranks: 2 and 3"},
                                {2, 0, 1, "the same rank"},
                                {2, 1, 0, "the same device"}};
  processes::start(THIS_TEST, {{0}, {1}}, {}, [&](const Process& process) {
    for (const Case& c : cases) {
      const HcclRootInfo rootInfo = process.rootInfo();
      HcclComm comm = nullptr;
      if (process.index() == 0) {
        CHECK_OK(aclrtSetDevice(0));
        process.tell("next");
        CHECK_FAILS(HCCL_E_PARA, HcclCommInitRootInfo(2, &rootInfo, 0, &comm), c.words);
      } else {
        CHECK_EQ(process.hear(), std::string("next"));
        std::this_thread::sleep_for(std::chrono::milliseconds(30) * check::slowness());
        CHECK_OK(aclrtSetDevice(c.deviceOfLast));
        CHECK_FAILS(HCCL_E_PARA,
                    HcclCommInitRootInfo(c.sizeOfLast, &rootInfo, c.rankOfLast, &comm), c.words);
      }
      process.meet();
    }
  });
}

TEST(a_root_info_needs_its_process) {
  processes::start(THIS_TEST, {{0}, {1}}, {0}, [](const Process& process) {
    const HcclRootInfo rootInfo = process.rootInfo();
    HcclComm comm = nullptr;
    if (process.index() == 0) {
      process.tell(std::to_string(getpid()));
      process.hear();
      kill(getpid(), SIGKILL);
    }
    const std::string dead = process.hear();
    CHECK_OK(aclrtSetDevice(1));
    HcclRootInfo forged = rootInfo;
    forged.internal[112] ^= 1;  // the key
    CHECK_FAILS(HCCL_E_REMOTE, HcclCommInitRootInfo(2, &forged, 1, &comm), processWord(dead));
    // It ends in the midst of the formation.
    std::thread([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50) * check::slowness());
      process.tell("end");
    }).detach();
    CHECK_FAILS(HCCL_E_REMOTE, HcclCommInitRootInfo(2, &rootInfo, 1, &comm), processWord(dead),
                "has ended");
    const HcclResult result = HcclCommInitRootInfo(2, &rootInfo, 1, &comm);
    // The dead may be a zombie yet, or even have its door still open.
    CHECK(result == HCCL_E_TCP_CONNECT || result == HCCL_E_PARA || result == HCCL_E_REMOTE);
    expectWords(ranks::recentWords(), {processWord(dead)});
  });
}

TEST(memory_freed_in_another_process_is_an_error_on_all) {
  processes::start(THIS_TEST, {{0}, {1}}, {}, [](const Process& process) {
    const HcclRootInfo rootInfo = process.rootInfo();
    process.onThreads([&](uint32_t rank) {
      join(process, rootInfo, rank, [&](const Rank& r) {
        DeviceMemory in(std::vector<float>(4, 1.0f));
        if (rank == 1) {
          void* freed = nullptr;
          CHECK_OK(aclrtMalloc(&freed, 16, ACL_MEM_MALLOC_HUGE_FIRST));
          OwnStream other;
          aclrtEvent event = nullptr;
          CHECK_OK(aclrtCreateEventWithFlag(&event, ACL_EVENT_SYNC));
          CHECK_OK(aclrtStreamWaitEvent(r.stream, event));
          CHECK_OK(HcclSend(freed, 4, kFp32, 0, r.comm, r.stream));
          CHECK_OK(aclrtFree(freed));
          CHECK_OK(aclrtRecordEvent(event, other));
        } else {
          CHECK_OK(HcclRecv(in.get(), 4, kFp32, 1, r.comm, r.stream));
        }
        CHECK_FAILS(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(r.stream),
                    "rank 1 freed the 16 bytes", "HcclSend(count 4");
        CHECK_OK(HcclCommDestroy(r.comm));
      });
    });
  });
}

TEST(nothing_is_left_after_hundreds_of_communicators) {
  processes::start(THIS_TEST, {{0}, {1, 2}}, {}, [](const Process& process) {
    std::vector<int> before;
    constexpr int kRounds = 220;
    for (int round = 0; round < kRounds; ++round) {
      const HcclRootInfo rootInfo = process.rootInfo();
      process.onThreads([&](uint32_t rank) {
        ranks::onCommunicator(3, rootInfo, rank, [&](const Rank& r) {
          HcclCommConfig config;
          HcclCommConfigInit(&config);
          HcclComm world = r.comm;
          HcclComm sub = nullptr;
          uint32_t members[] = {2, 0, 1};
          CHECK_OK(HcclCreateSubCommConfig(&world, 3, members, 5, (rank + 1) % 3, &config, &sub));
          DeviceMemory data(std::vector<float>(4, 1.0f));
          for (HcclComm comm : {r.comm, sub}) {
            CHECK_OK(
                HcclAllReduce(data.get(), data.get(), 4, kFp32, HCCL_REDUCE_SUM, comm, r.stream));
          }
          r.synchronize();
          CHECK(data.download<float>() == std::vector<float>(4, 9.0f));
          CHECK_OK(HcclCommDestroy(sub));
        });
      });
      process.meet();
      if (round == 20) {
        before = holdings();
      }
    }
    // The last connections end a moment after their communicators.
    const auto start = Clock::now();
    while (holdings()[0] > before[0] && Clock::now() - start < kPromptly) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    const std::vector<int> after = holdings();
    for (size_t i = 0; i < before.size(); ++i) {
      CHECK(after[i] <= before[i]);
    }
    process.meet();
  });
}
