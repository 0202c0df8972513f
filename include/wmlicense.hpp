/// @file wmlicense.hpp
/// The library for C++17: headers only, above the C interface and nothing else. Link as a C program does.
///
/// @page cpp wmlicense.hpp: the library for C++17
///
/// @code{.cpp}
/// #include <wmlicense.hpp>
///
/// wm::client client;
/// client.set(wm::prop::store_path, "/home/u/.local/share/app");
/// client.set(wm::prop::authority, authority);            // what `wmlicensed init` printed
/// client.set(wm::prop::service_url, "https://licenses.example");
/// client.open();
///
/// wm::license_request request(client, [](const wm::status &told) { std::cout << told.name() << '\n'; });
/// request.set(wm::prop::key_ids, {wm::kid::parse("a1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d8")});
/// request.acquire();                                     // returns at once
/// if (WM_LICENSE_STORED(request.wait())) play();
/// @endcode
///
/// The contracts of wmlicense.h hold; what C++ adds is said here. Numbers keep their names of C: results, statuses, flags,
/// remedies. A function has the name of the one that it calls, without `wm_` and the object's own name.
///
/// @section cpp_objects OBJECTS
/// A class for each object of C, made by its constructor, released by its destructor. They are move-only; `duplicate()` makes a
/// second owner, and `get()` gives the handle to functions of C. The order in which they go is free. Destroying one whose
/// operation runs cancels it and returns after its last callback; inside a callback of the library it never waits.
///
/// @section cpp_failures FAILURES
/// A function throws wm::error, which carries all that wm_get_error_info tells. Each has a twin `try_…` that throws nothing of
/// its own and answers a wm::outcome: a value, or the failure. Where the compiler has no exceptions (`-fno-exceptions`) use those;
/// a failure that another function would throw is printed and ends the process. Units of both kinds may be one program, but
/// what they pass to each other are handles of C, not objects of wm: those of the two are different types. Memory that runs out throws std::bad_alloc, as
/// in every container. Success codes that carry information are what functions return, or `outcome::result()`.
///
/// @section cpp_properties PROPERTIES
/// Each is a constant in wm::prop with the type of its value: text, numbers, bool, bytes, wm::kid, durations, times. What cannot
/// be read, cannot be set or belongs to another object does not compile. `get` throws where there is no value, `find` answers
/// std::nullopt.
///
/// @section cpp_callbacks CALLBACKS
/// A callback is any function object that takes a `const wm::status &`, on a thread of the library, one call at a time per object.
/// It returns nothing, or wm::flow::cancel to end the operation. An exception that leaves it cancels the operation, and `wait()`
/// throws it again in place of the failure, as does a function that waits itself; the object's next verb forgets it, unless
/// it is refused because that operation still runs. The function object lives as long as the
/// library may call it: until the object's destructor is over, and, where that runs inside a callback, until calls under way have
/// returned. From then on nobody is told, where C would still tell the final status. It may destroy its own object.
///
/// @section cpp_events EVENTS
/// wm::event_queue in place of callbacks: a range of events, or one at a time, and a descriptor for a poll loop.
///
/// @section cpp_threads THREADS
/// As in C, every function may be called from any thread. As with every object of C++, one thread at a time moves, assigns or
/// destroys it while no other uses it.
#ifndef WMLICENSE_HPP
#define WMLICENSE_HPP

#include <wmlicense/client.hpp>
#include <wmlicense/events.hpp>
#include <wmlicense/media.hpp>
#include <wmlicense/verbs.hpp>

#endif
