/*
 * tests/unit/agentx/check_subagent.c - connecting through Net-SNMP's transports, and connecting
 * again: any order of starting, every address form, masters that come, go and hang.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agentx/subagent.h"
#include "tests/unit/agentx/fake_store.h"
#include "tests/unit/agentx/scripted.h"

static char dir[] = "/tmp/check_subagent.XXXXXX";
static char path[64];
static struct event_base *base;
static struct mib_store store;
static struct ax_subagent *agent;
static struct master master;
static char last_line[640];
static unsigned lines;

static void on_log(void *arg, int priority, const char *text)
{
	(void)arg;
	(void)priority;
	lines++;
	snprintf(last_line, sizeof(last_line), "%s", text);
}

static int listen_unix(int backlog)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	unlink(path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

static void start(const char *address)
{
	ck_assert_int_eq(ax_subagent_new(base, &store, address, on_log, NULL, &agent), MIB_OK);
}

static void setup(void)
{
	memset(&store, 0, sizeof(store));
	lines = 0;
	agent = NULL;
	master.fd = -1;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/master", dir);
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
}

static void teardown(void)
{
	ax_subagent_free(agent);
	master_fini(&master);
	event_base_free(base);
	unlink(path);
	rmdir(dir);
}

/** Runs the loop until somebody connects. */
static void accept_master(int fd)
{
	int conn;

	while ((conn = accept(fd, NULL, NULL)) < 0)
		event_base_loop(base, EVLOOP_ONCE);
	master_init(&master, base, conn);
}

static struct ax_state state(void)
{
	struct ax_state s;

	ax_subagent_state(agent, &s);
	return s;
}

/** An attempt and its outcome have gone by. */
static void run_until_line(void)
{
	const unsigned before = lines;

	while (lines == before)
		event_base_loop(base, EVLOOP_ONCE);
}

START_TEST(test_a_master_that_is_there_is_served)
{
	const int fd = listen_unix(5);

	start(path);
	accept_master(fd);
	master_open(&master, 1, 100);
	ck_assert(state().is_connected);
	ck_assert_uint_eq(state().connections, 1);
	ck_assert_str_eq(state().master, path);
	ck_assert_ptr_nonnull(strstr(last_line, path));
	close(fd);
}
END_TEST

START_TEST(test_a_master_that_starts_later_is_found)
{
	start(path);
	run_until_line();
	ck_assert_ptr_nonnull(strstr(last_line, "No such file"));
	ck_assert(!state().is_connected);

	const int fd = listen_unix(5);

	accept_master(fd);
	master_open(&master, 1, 100);
	ck_assert(state().is_connected);
	close(fd);
}
END_TEST

START_TEST(test_a_master_that_restarts_is_served_again_and_again)
{
	for (unsigned i = 1; i <= 3; i++) {
		const int fd = listen_unix(5);

		if (i == 1)
			start(path);
		accept_master(fd);
		master_open(&master, i, 100);
		ck_assert_uint_eq(state().connections, i);
		close(fd);
		master_fini(&master);
		while (state().is_connected)
			event_base_loop(base, EVLOOP_ONCE);
		ck_assert_uint_eq(state().losses, i);
	}
	master.fd = -1;
	master.in = NULL;
}
END_TEST

START_TEST(test_the_log_tells_of_an_absent_master_once)
{
	start(path);
	run_until_line();
	for (int i = 0; i < 8; i++)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(lines, 1);
}
END_TEST

START_TEST(test_each_address_form_of_net_snmp_is_taken)
{
	static const char *const forms[] = { "%s", "unix:%s", "tcp:127.0.0.1:%u", "127.0.0.1:%u",
					     "tcp:localhost:%u" };
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	char address[128];
	int fd;

	if (_i < 2) {
		fd = listen_unix(5);
		snprintf(address, sizeof(address), forms[_i], path);
	} else {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
		ck_assert_int_eq(listen(fd, 5), 0);
		ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
		snprintf(address, sizeof(address), forms[_i], ntohs(sin.sin_port));
	}
	start(address);
	accept_master(fd);
	master_open(&master, 1, 100);
	while (!state().is_connected)
		event_base_loop(base, EVLOOP_ONCE);
	close(fd);
}
END_TEST

START_TEST(test_a_transport_that_is_no_stream_is_refused)
{
	start("udp:127.0.0.1:9");
	run_until_line();
	ck_assert_ptr_nonnull(strstr(last_line, "rotocol not supported"));
}
END_TEST

START_TEST(test_an_address_that_names_nobody_is_told)
{
	start("tcp:");
	run_until_line();
	ck_assert_ptr_nonnull(strstr(last_line, "tcp:"));
	ck_assert_ptr_null(strstr(last_line, "Success"));
}
END_TEST

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	++*(unsigned *)arg;
}

START_TEST(test_a_listener_with_a_full_backlog_holds_nobody_up)
{
	static const struct timeval tick = { 0, 1000 };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const int fd = listen_unix(0);
	int filler[8], n = 0;
	unsigned ticks = 0;
	struct event *ticker = event_new(base, -1, EV_PERSIST, on_tick, &ticks);

	/* A listener that accepts nobody: connect blocks whoever comes after these. */
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	do {
		filler[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	} while (connect(filler[n++], (struct sockaddr *)&sun, sizeof(sun)) == 0 && n < 8);
	ck_assert_int_lt(n, 8);

	start(path);
	event_add(ticker, &tick);
	while (ticks < 300)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(lines, 0);
	ck_assert(!state().is_connected);

	/* It wakes up: those before us first, then we. */
	for (int i = 0; i < n - 1; i++) {
		const int conn = accept(fd, NULL, NULL);

		ck_assert_int_ge(conn, 0);
		close(conn);
	}
	accept_master(fd);
	master_open(&master, 1, 100);
	ck_assert(state().is_connected);
	event_free(ticker);
	for (int i = 0; i < n; i++)
		close(filler[i]);
	close(fd);
}
END_TEST

START_TEST(test_freeing_does_not_wait_for_an_attempt_that_hangs)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const int fd = listen_unix(0);
	int filler[8], n = 0;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	do {
		filler[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	} while (connect(filler[n++], (struct sockaddr *)&sun, sizeof(sun)) == 0 && n < 8);
	start(path);
	event_base_loop(base, EVLOOP_ONCE);
	ax_subagent_free(agent);
	agent = NULL;
	close(fd);
	for (int i = 0; i < n; i++)
		close(filler[i]);
}
END_TEST

START_TEST(test_freeing_tells_the_master)
{
	struct ax_pdu p;
	const int fd = listen_unix(5);

	start(path);
	accept_master(fd);
	master_open(&master, 1, 100);
	ax_subagent_free(agent);
	agent = NULL;
	master_receive(&master, &p);
	ck_assert_uint_eq(p.h.type, AX_CLOSE);
	master_expect_end(&master);
	close(fd);
}
END_TEST

START_TEST(test_a_master_that_refuses_to_open_is_asked_again)
{
	const int fd = listen_unix(5);
	struct ax_pdu p;

	start(path);
	accept_master(fd);
	master_receive(&master, &p);
	master_answer(&master, &p.h, 0, AX_ERR_OPEN_FAILED);
	master_expect_end(&master);
	master_fini(&master);
	ck_assert_uint_eq(state().losses, 0);
	accept_master(fd);
	master_open(&master, 1, 100);
	ck_assert(state().is_connected);
	close(fd);
}
END_TEST

START_TEST(test_notifications_go_through_the_subagent)
{
	struct ax_pdu p;
	const int fd = listen_unix(5);

	start(path);
	ck_assert_int_eq(ax_notify(agent, &mib_notifications[0], NULL, 0, 0), MIB_OK);
	accept_master(fd);
	master_open(&master, 1, 100);
	master_receive(&master, &p);
	ck_assert_uint_eq(p.h.type, AX_NOTIFY);
	ck_assert_uint_eq(state().session.notes_sent, 1);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agentx/subagent");
	TCase *tc = tcase_create("subagent");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, test_a_master_that_is_there_is_served);
	tcase_add_test(tc, test_a_master_that_starts_later_is_found);
	tcase_add_test(tc, test_a_master_that_restarts_is_served_again_and_again);
	tcase_add_test(tc, test_the_log_tells_of_an_absent_master_once);
	tcase_add_loop_test(tc, test_each_address_form_of_net_snmp_is_taken, 0, 5);
	tcase_add_test(tc, test_a_transport_that_is_no_stream_is_refused);
	tcase_add_test(tc, test_an_address_that_names_nobody_is_told);
	tcase_add_test(tc, test_a_listener_with_a_full_backlog_holds_nobody_up);
	tcase_add_test(tc, test_freeing_does_not_wait_for_an_attempt_that_hangs);
	tcase_add_test(tc, test_freeing_tells_the_master);
	tcase_add_test(tc, test_a_master_that_refuses_to_open_is_asked_again);
	tcase_add_test(tc, test_notifications_go_through_the_subagent);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_ENV);

	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
