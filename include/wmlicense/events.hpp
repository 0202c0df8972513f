/// @file events.hpp
/// The event queue: statuses read at a time and on a thread of the application's choice.
#ifndef WMLICENSE_EVENTS_HPP
#define WMLICENSE_EVENTS_HPP

#include <wmlicense/client.hpp>

namespace wm {
WMLICENSE_VARIANT_BEGIN

/// One event: a status and the object that it is about. What comes with it is valid until the next one is read.
class event : public status {
public:
  /// Of what C tells.
  explicit event(const wm_event &told) noexcept
      : status(told.status, told.result, told.type, told.value, told.size), object_(told.object) {}
  /// Handle of the object, which may have been released since.
  const void *object() const noexcept { return object_; }
  /// Whether it is about this object.
  template <class Object> bool is_of(const Object &object) const noexcept { return object.get() == object_; }

private:
  const void *object_;
};

/// Receives the events of a client's objects that are created after it and without a callback. One thread reads at a time.
class event_queue : public object<event_queue, wm_event_queue> {
public:
  /// Of its parts.
  explicit event_queue(parts &&made) noexcept : object(std::move(made)) {}
  /// The client's queue: it has one at most.
  explicit event_queue(const client &of) : event_queue(try_create(of).value()) {}
  /// What the constructor does.
  static outcome<event_queue> try_create(const client &of) {
    wm_event_queue *handle = nullptr;
    const wm_result result = wm_create_event_queue(of.get(), &handle);
    if (result < 0) return outcome<event_queue>::failure(result);
    return event_queue(parts{handle, nullptr});
  }

  /// A descriptor that is readable exactly while events wait, for a poll loop. Never read, write or close it.
  outcome<int> try_fd() const {
    int fd = -1;
    const wm_result result = wm_event_queue_fd(get(), &fd);
    if (result < 0) return outcome<int>::failure(result);
    return fd;
  }
  /// The same; throws wm::error.
  int fd() const { return try_fd().value(); }

  /// Takes the oldest event out; WM_E_TIMEOUT where none came in this time.
  template <class Rep, class Period> outcome<event> try_next(std::chrono::duration<Rep, Period> time) {
    return taken(detail::milliseconds(time));
  }
  /// The same without an end; WM_E_OPERATION_CANCELED once the queue is released.
  outcome<event> try_next() { return taken(WM_INFINITE); }
  /// The same in this time: nothing where none came, or where the queue was released meanwhile.
  template <class Rep, class Period> std::optional<event> next(std::chrono::duration<Rep, Period> time) {
    return found(try_next(time));
  }
  /// The same without an end: nothing once the queue is released.
  std::optional<event> next() { return found(try_next()); }

  /// Events one after the other, until none comes in time.
  class range;
  /// Those that wait at present: what a poll loop reads when fd() is readable.
  range pending();
  /// Those that come, until none comes for so long.
  template <class Rep, class Period> range events(std::chrono::duration<Rep, Period> patience);
  /// Those that come, until the queue is released.
  range events();

private:
  outcome<event> taken(std::uint32_t timeout_ms) {
    wm_event told = {};
    told.struct_size = sizeof told;
    const wm_result result = wm_next_event(get(), timeout_ms, &told);
    if (result < 0) return outcome<event>::failure(result);
    return event(told);
  }
  static std::optional<event> found(outcome<event> read) {
    if (read.result() == WM_E_TIMEOUT || read.result() == WM_E_OPERATION_CANCELED) return std::nullopt;
    return std::move(read).value();
  }
};

/// Events one after the other.
class event_queue::range {
public:
  /// One pass; an end where there is no event.
  class iterator {
  public:
    /// One pass only.
    using iterator_category = std::input_iterator_tag;
    /// What is read.
    using value_type = event;
    /// Of no meaning.
    using difference_type = std::ptrdiff_t;
    /// An event of this pass.
    using pointer = const event *;
    /// An event of this pass.
    using reference = const event &;

    /// An end.
    iterator() noexcept = default;
    /// At the next event.
    iterator(event_queue *queue, std::uint32_t timeout_ms) : queue_(queue), timeout_ms_(timeout_ms) { ++*this; }
    /// The event.
    reference operator*() const noexcept { return *at_; }
    /// The same.
    pointer operator->() const noexcept { return &*at_; }
    /// Waits for the next event; throws wm::error.
    iterator &operator++() {
      at_ = found(queue_->taken(timeout_ms_));
      return *this;
    }
    /// The same.
    void operator++(int) { ++*this; }
    /// Whether both are at an end.
    friend bool operator==(const iterator &one, const iterator &other) noexcept {
      return one.at_.has_value() == other.at_.has_value();
    }
    /// The contrary.
    friend bool operator!=(const iterator &one, const iterator &other) noexcept { return !(one == other); }

  private:
    event_queue *queue_ = nullptr;
    std::uint32_t timeout_ms_ = 0;
    std::optional<event> at_;
  };

  /// Of a queue, with so much time for each event.
  range(event_queue *queue, std::uint32_t timeout_ms) noexcept : queue_(queue), timeout_ms_(timeout_ms) {}
  /// Waits for the first event.
  iterator begin() const { return iterator(queue_, timeout_ms_); }
  /// Where no event comes any more.
  iterator end() const noexcept { return iterator(); }

private:
  event_queue *queue_;
  std::uint32_t timeout_ms_;
};

inline event_queue::range event_queue::pending() { return range(this, 0); }
inline event_queue::range event_queue::events() { return range(this, WM_INFINITE); }
template <class Rep, class Period>
event_queue::range event_queue::events(std::chrono::duration<Rep, Period> patience) {
  return range(this, detail::milliseconds(patience));
}

WMLICENSE_VARIANT_END
} // namespace wm

#endif
