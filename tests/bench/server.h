/* tests/bench/server.h - an engine process that is asked by PF_KEY and nothing else. */
#ifndef TESTS_BENCH_SERVER_H
#define TESTS_BENCH_SERVER_H

/** Serves who connects, until it is killed or its parent ends. For a process that was made for it. */
void bench_serve(int listener);

#endif
