// SPDX-License-Identifier: Apache-2.0
// Mailboxes between processes, here with both ends in one.
#include "ipc/mailbox.hpp"

#include <unistd.h>

#include <random>
#include <string>

#include "check.hpp"
#include "runtime/active_wait.hpp"
#include "runtime/thread_pool.hpp"

using cann4j::ipc::File;
using cann4j::ipc::Mailbox;

namespace {

struct Ends {
  File file = Mailbox::makeFile();
  std::unique_ptr<Mailbox> first = Mailbox::open(file, Mailbox::End::kFirst);
  std::unique_ptr<Mailbox> second = Mailbox::open(file, Mailbox::End::kSecond);
};

}  // namespace

TEST(messages_stay_whole_and_in_order_around_the_end) {
  Ends ends;
  std::mt19937 random(7);
  uint64_t put = 0, taken = 0;
  const auto message = [](uint64_t number) {
    return std::string(number * 7919 % 3000, static_cast<char>(number));
  };
  while (taken < 2000) {
    for (auto n = random() % 20; n > 0 && ends.first->put(put + 1, message(put + 1)); --n) {
      ++put;
    }
    std::string bytes;
    for (auto n = random() % 20; n > 0 && ends.second->take(taken + 1, &bytes); --n) {
      ++taken;
      CHECK(bytes == message(taken));
    }
    CHECK_EQ(ends.second->hasMessage(), taken < put);
  }
  CHECK(!ends.first->hasMessage());
}

TEST(what_has_no_room_is_refused_until_there_is_some) {
  Ends ends;
  const std::string message(10000, 'x');
  uint64_t put = 0;
  while (ends.second->put(put + 1, message)) {
    ++put;
    CHECK(put < 100);
  }
  CHECK(put > 1);
  std::string bytes;
  CHECK(!ends.first->take(2, &bytes));  // not its turn
  CHECK(ends.first->take(1, &bytes));
  CHECK(ends.second->put(put + 1, message));
  CHECK(!ends.second->put(put + 2, std::string(size_t{1} << 20, 'x')));
}

TEST(who_looks_is_not_woken_and_others_once) {
  Ends ends;
  ends.second->setLooking(true);
  CHECK(!ends.first->mustWake());
  ends.second->setLooking(false);
  CHECK(ends.first->mustWake());
  CHECK(!ends.first->mustWake());
  ends.second->woken();
  CHECK(ends.first->mustWake());
}

TEST(other_files_are_no_mailboxes) {
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  const File read(ends[0]), write(ends[1]);
  CHECK(Mailbox::open(read, Mailbox::End::kSecond) == nullptr);
  CHECK(Mailbox::open(File(), Mailbox::End::kSecond) == nullptr);
}

// Whoever takes them, workers or threads that wait: each once.
TEST(open_jobs_are_carried_out_once) {
  cann4j::ThreadPool& pool = cann4j::ThreadPool::instance();
  for (int round = 0; round < 300; ++round) {
    std::atomic<int> jobs{0};
    std::atomic<int64_t> sum{0};
    for (int i = 0; i < 3; ++i) {
      pool.postOpen([&] {
        pool.parallelForOpen(10, [&](int64_t index) { sum += index; });
        ++jobs;
      });
    }
    while (!cann4j::ActiveWait::until([&] { return jobs == 3; })) {
    }
    CHECK_EQ(sum.load(), int64_t{3 * 45});
  }
}
