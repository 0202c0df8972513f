// A thread that runs jobs one after another, started when there is one and ended when there is none. Part of wmlicense_wmf.h.
// Callbacks that no operation of the library tells come from here.
#ifndef WMLICENSE_WMF_WORKER_H
#define WMLICENSE_WMF_WORKER_H

namespace wmf {

class Worker {
 public:
  Worker() : state_(std::make_shared<State>()) {}
  Worker(const Worker &) = delete;
  Worker &operator=(const Worker &) = delete;

  // Waits for the job that runs, except inside a callback.
  ~Worker() {
    std::thread last;
    {
      const std::lock_guard<std::mutex> lock(state_->mutex);
      last = std::move(state_->thread);
    }
    if (!last.joinable()) return;
    if (callback_depth() > 0 || is_own_thread()) {
      last.detach();
    } else {
      last.join();
    }
  }

  // Jobs hold what they need; they are run even if the worker goes meanwhile. Throws where there is no thread for it.
  void post(std::function<void()> job) {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->jobs.push_back(std::move(job));
    if (state_->runs) return;
    // It runs no job any more and ends by itself.
    if (state_->thread.joinable()) state_->thread.join();
    try {
      state_->thread = std::thread([state = state_] { run(*state); });
      state_->runs = true;
    } catch (...) {
      // What it holds is released after unlocking.
      job = std::move(state_->jobs.back());
      state_->jobs.pop_back();
      throw;
    }
  }

 private:
  struct State {
    std::mutex mutex;
    std::deque<std::function<void()>> jobs;
    bool runs = false;
    std::thread thread;
  };

  static void run(State &state) noexcept {
    is_own_thread() = true;
    for (;;) {
      std::function<void()> job;
      {
        const std::lock_guard<std::mutex> lock(state.mutex);
        if (state.jobs.empty()) {
          state.runs = false;
          return;
        }
        job = std::move(state.jobs.front());
        state.jobs.pop_front();
      }
      try {
        job();
      } catch (...) {
        // A callback of old code threw; there is no operation to cancel.
      }
    }
  }

  std::shared_ptr<State> state_;
};

}  // namespace wmf

#endif
