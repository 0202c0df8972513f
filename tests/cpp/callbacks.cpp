// How long a function object lives, where its exceptions go, and what may be done inside it: under sanitizers and ThreadSanitizer.
#include "check.hpp"

#include <atomic>

namespace {

wm::license_request asking(const wm::client &client, const wm::kid &kid, wm::status_callback callback) {
  wm::license_request request(client, std::move(callback));
  request.set(wm::prop::key_ids, {kid});
  return request;
}

void exceptions_cancel_and_come_out_of_wait(const wm::client &client) {
  std::atomic<int> finals{0};
  auto request = asking(client, title(1), [&](const wm::status &told) -> wm::flow {
    if (told.number() == WM_STATUS_ACQUIRE_LICENSE) {
      finals++;
      CHECK(told.result() == WM_S_ACQUIRE_CANCELLED);
      return wm::flow::go_on;
    }
    throw std::out_of_range("of the application");
  });
  for (int round = 0; round < 2; round++) {
    request.acquire();
    bool caught = false;
    try {
      request.wait();
    } catch (const std::out_of_range &thrown) {
      caught = std::string(thrown.what()) == "of the application";
    }
    CHECK(caught);
    // It is told once; the operation's own end stays.
    CHECK(request.wait() == WM_S_ACQUIRE_CANCELLED);
    CHECK(!request.take_exception());
  }
  CHECK(finals == 2);
  // The store has nothing of it.
  CHECK(client.query_action_allowed(title(1)) == (WM_REASON_NOT_ENABLED | WM_REASON_NO_LICENSE));
}

void exceptions_come_out_of_a_verb_that_waits(const wm::client &client) {
  wm::store_keeper keeper(client, [](const wm::status &) { throw std::out_of_range("of the application"); });
  bool caught = false;
  try {
    keeper.clean(WM_CLEAN_SYNC);
  } catch (const std::out_of_range &) {
    caught = true;
  }
  CHECK(caught && !keeper.take_exception());
}

void a_verb_that_waits_throws_nothing_of_an_earlier_operation(const wm::client &client) {
  std::atomic<bool> throws{true};
  const auto callback = [&](const wm::status &) {
    if (throws.exchange(false)) throw std::out_of_range("of the application");
  };
  wm::store_keeper keeper(client, callback);
  keeper.check();
  CHECK(keeper.try_wait() && !throws);
  keeper.clean(WM_CLEAN_SYNC);
  CHECK(!keeper.take_exception());

  throws = true;
  wm::license_request request(client, callback);
  request.set(wm::prop::key_ids, {title(1)});
  request.acquire();
  CHECK(request.try_wait().result() == WM_S_ACQUIRE_CANCELLED);
  CHECK_THROWS(request.process_response(std::string("no answer")), WM_E_INVALID_LICENSE_ACQUIRED);
  // An answer may be taken while an operation runs: what that one threw waits for who waits for it.
  CHECK(request.take_exception() != nullptr);
}

/// The store holds a license: then there is progress to be told, where an operation can be cancelled.
void a_verb_that_waits_and_fails_forgets_as_well(const wm::client &client) {
  std::atomic<int> checked{0};
  std::atomic<bool> cleans{false};
  wm::store_keeper keeper(client, [&](const wm::status &) {
    if (cleans) return wm::flow::cancel;
    if (checked++ == 0) throw std::out_of_range("of the application");
    return wm::flow::go_on;
  });
  keeper.check();
  CHECK(keeper.try_wait().result() == WM_E_OPERATION_CANCELED);
  cleans = true;
  CHECK_THROWS(keeper.clean(WM_CLEAN_SYNC), WM_E_OPERATION_CANCELED);
  CHECK(!keeper.take_exception());
}

void the_next_verb_forgets_what_nobody_waited_for(const wm::client &client) {
  std::atomic<bool> throws{true};
  auto request = asking(client, title(10), [&](const wm::status &) -> wm::flow {
    if (throws) throw std::out_of_range("of the application");
    return wm::flow::go_on;
  });
  request.acquire();
  CHECK(request.try_wait().result() == WM_S_ACQUIRE_CANCELLED);
  throws = false;
  request.acquire();
  CHECK(request.wait() == WM_S_LICENSE_ACQUIRED);
}

void what_a_status_tells_survives_a_look_at_its_text(const wm::client &client) {
  wm::license_request request(client, [](const wm::status &told) {
    if (told.number() != WM_STATUS_ACQUIRE_LICENSE) return;
    CHECK(!told.key_id() && told.result() == WM_E_LICENSE_UNAVAILABLE);
    CHECK(told.info().result == WM_E_LICENSE_UNAVAILABLE && told.info().category == WM_CATEGORY_REFUSED);
  });
  request.set(wm::prop::key_ids, {wm::kid()});
  request.acquire();
  CHECK_THROWS(request.wait(), WM_E_LICENSE_UNAVAILABLE);
}

void a_callback_that_wants_it_cancels(const wm::client &client) {
  auto request = asking(client, title(1), [](const wm::status &) { return wm::flow::cancel; });
  request.acquire();
  CHECK(request.wait() == WM_S_ACQUIRE_CANCELLED);
}

void an_object_may_go_in_its_own_callback(const wm::client &client) {
  signal gone, done;
  std::atomic<int> calls{0};
  std::optional<wm::license_request> request;
  request.emplace(asking(client, title(2), [&, tale = tell_tale(gone)](const wm::status &) {
    calls++;
    request.reset();
    // The function object is alive until it returns.
    CHECK(!gone.is_raised());
    done.raise();
    return wm::flow::go_on;
  }));
  request->acquire();
  done.wait();
  gone.wait();
  CHECK(calls == 1);
}

void an_object_may_go_in_the_callback_of_another(const wm::client &client) {
  signal inside, released, gone;
  auto calls = std::make_shared<std::atomic<int>>(0);
  std::optional<wm::license_request> other;
  other.emplace(asking(client, title(3), [&, calls, tale = tell_tale(gone)](const wm::status &) {
    ++*calls;
    inside.raise();
    released.wait();
    // Its object is gone, it is not.
    CHECK(!gone.is_raised());
    return wm::flow::go_on;
  }));
  other->acquire();
  inside.wait();
  wm::store_keeper keeper(client, [&](const wm::status &told) {
    if (told.number() != WM_STATUS_STORE_CHECKED) return;
    other.reset(); // never waits here
    released.raise();
  });
  keeper.check();
  CHECK(keeper.wait() == WM_S_OK);
  gone.wait();
  // Nobody is there to hear the final status.
  CHECK(*calls == 1);
}

void a_running_object_that_goes_tells_its_end_first(const wm::client &client) {
  signal gone, inside, ended;
  {
    auto request = asking(client, title(4), [&, tale = tell_tale(gone)](const wm::status &told) {
      inside.raise();
      if (told.number() == WM_STATUS_ACQUIRE_LICENSE) ended.raise();
      return wm::flow::go_on;
    });
    request.acquire();
    inside.wait();
    wm::license_request moved = std::move(request);
    CHECK(!request && moved);
  }
  CHECK(ended.is_raised() && gone.is_raised());
}

void a_second_owner_keeps_the_callback(const wm::client &client) {
  signal gone, ended;
  auto first = std::make_unique<wm::license_request>(
      asking(client, title(5), [&, tale = tell_tale(gone)](const wm::status &told) {
        if (told.number() == WM_STATUS_ACQUIRE_LICENSE) ended.raise();
        return wm::flow::go_on;
      }));
  wm::license_request second = first->duplicate();
  first.reset();
  CHECK(!gone.is_raised());
  second.acquire();
  CHECK(second.wait() == WM_S_LICENSE_ACQUIRED);
  CHECK(ended.is_raised());
  second = asking(client, title(6), nullptr);
  CHECK(gone.is_raised());
}

void the_next_verb_may_begin_in_the_final_callback(const wm::client &client) {
  signal both;
  std::atomic<int> finals{0};
  wm::license_request *again = nullptr;
  auto request = asking(client, title(7), [&](const wm::status &told) {
    if (told.number() == WM_STATUS_ACQUIRE_LICENSE && ++finals == 1) again->acquire();
    if (finals == 2) both.raise();
    return wm::flow::go_on;
  });
  again = &request;
  request.acquire();
  both.wait();
  CHECK(request.wait() == WM_S_LICENSE_ACQUIRED);
  CHECK(CHECK_THROWS(request.set(wm::prop::scope, std::string(1, '\n')), WM_E_BAD_VALUE).remedy() == WM_REMEDY_FIX_CALL);
}

void waiting_has_an_end(const wm::client &client) {
  signal inside, go;
  auto request = asking(client, title(8), [&](const wm::status &) {
    inside.raise();
    go.wait();
    return wm::flow::go_on;
  });
  CHECK_THROWS(request.wait(), WM_E_NO_OPERATION);
  request.acquire();
  inside.wait();
  CHECK(!request.wait_for(std::chrono::microseconds(1)));
  CHECK(request.try_wait_for(std::chrono::seconds(0)).result() == WM_E_TIMEOUT);
  CHECK_THROWS(request.acquire(), WM_E_ACQUIRING_LICENSE);
  go.raise();
  CHECK(request.wait_for(std::chrono::hours(24 * 365)) == WM_S_LICENSE_ACQUIRED);
}

void a_transport_of_the_application_carries_requests(const std::string &folder) {
  signal gone;
  std::atomic<int> requests{0};
  std::optional<wm::license_request> request;
  {
    wm::client client = open_client(folder, "transport");
    client.set(wm::prop::retry_limit, 0);
    client.set_transport([&, tale = tell_tale(gone)](wm::exchange &, const wm_http_request &asked) -> wm_result {
      CHECK(asked.struct_size >= sizeof asked && std::string(asked.url).find("http://127.0.0.1") == 0);
      if (++requests == 1) throw std::runtime_error("nobody is there");
      return WM_E_SERVER_CERTIFICATE;
    });
    request.emplace(asking(client, title(9), nullptr));
    for (const wm_result wanted : {WM_E_INDIV_SERVICE_UNAVAILABLE, WM_E_SERVER_CERTIFICATE}) {
      wm::individualizer individualizer(client);
      individualizer.set(wm::prop::user_consent, true);
      individualizer.individualize();
      CHECK_THROWS(individualizer.wait(), wanted);
    }
    client.set_transport(nullptr);
    individualize(client);
    CHECK(requests == 2);
  }
  // An object of the client is there, so an operation may be too.
  CHECK(!gone.is_raised());
  request.reset();
  CHECK(gone.is_raised());
}

void a_transport_that_was_replaced_serves_who_began_with_it(const std::string &folder) {
  signal inside, replaced;
  std::atomic<int> of_first{0}, of_second{0};
  wm::client client = open_client(folder, "replaced");
  client.set(wm::prop::retry_limit, 1);
  client.set_transport([&](wm::exchange &exchange, const wm_http_request &) -> wm_result {
    CHECK(!exchange.cancelled());
    of_first++;
    inside.raise();
    replaced.wait();
    return WM_E_CONNECTION_LOST; // so that it is asked again
  });
  wm::individualizer individualizer(client);
  individualizer.set(wm::prop::user_consent, true);
  individualizer.individualize();
  inside.wait();
  client.set_transport([&](wm::exchange &, const wm_http_request &) -> wm_result {
    of_second++;
    return WM_E_CONNECTION_LOST;
  });
  replaced.raise();
  CHECK_THROWS(individualizer.wait(), WM_E_CONNECTION_LOST);
  CHECK(of_first == 2 && of_second == 0);
  individualizer.individualize();
  CHECK_THROWS(individualizer.wait(), WM_E_CONNECTION_LOST);
  CHECK(of_first == 2 && of_second == 2);
}

void a_transport_answers_through_the_exchange(const std::string &folder) {
  wm::client client = open_client(folder, "answering");
  client.set(wm::prop::retry_limit, 0);
  client.set_transport([](wm::exchange &exchange, const wm_http_request &) {
    exchange.set_status(200);
    exchange.add_header("Content-Type", "text/html");
    exchange.write(std::string("<html>Welcome to the network of this hotel</html>"));
    CHECK_THROWS(exchange.set_status(99), WM_E_BAD_VALUE);
  });
  wm::individualizer individualizer(client);
  individualizer.set(wm::prop::user_consent, true);
  individualizer.individualize();
  CHECK_THROWS(individualizer.wait(), WM_E_CAPTIVE_PORTAL);
}

} // namespace

int main(int argc, char **argv) {
  CHECK(argc == 2);
  {
    const wm::client client = open_client(argv[1], "store");
    individualize(client);
    exceptions_cancel_and_come_out_of_wait(client);
    exceptions_come_out_of_a_verb_that_waits(client);
    a_verb_that_waits_throws_nothing_of_an_earlier_operation(client);
    the_next_verb_forgets_what_nobody_waited_for(client);
    a_verb_that_waits_and_fails_forgets_as_well(client);
    what_a_status_tells_survives_a_look_at_its_text(client);
    a_callback_that_wants_it_cancels(client);
    an_object_may_go_in_its_own_callback(client);
    an_object_may_go_in_the_callback_of_another(client);
    a_running_object_that_goes_tells_its_end_first(client);
    a_second_owner_keeps_the_callback(client);
    the_next_verb_may_begin_in_the_final_callback(client);
    waiting_has_an_end(client);
  }
  a_transport_of_the_application_carries_requests(argv[1]);
  a_transport_that_was_replaced_serves_who_began_with_it(argv[1]);
  a_transport_answers_through_the_exchange(argv[1]);
  return 0;
}
