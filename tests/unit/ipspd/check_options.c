/* Tests of ipspd/options.c, ipspd/options_file.c and ipspd/start.c: what a daemon may be told. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "engine/crypto/provider.h"
#include "ipspd/messages.h"
#include "ipspd/options.h"
#include "ipspd/start.h"

/* ---- command line ---- */

static enum options_outcome parse(const char *line, struct options *o)
{
	static char copy[512];
	char *argv[20];
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	optind = 0;
	return options_parse(argc, argv, o);
}

START_TEST(test_every_option_is_taken)
{
	struct options o;

	ck_assert_int_eq(parse("ipspd -f -c /etc/x -S /s -s /c -k /k -x tcp:localhost:705 "
			       "-a tun:red0 -i /in.xml --pidfile /p", &o), OPTIONS_RUN);
	ck_assert(o.foreground);
	ck_assert_str_eq(o.file, "/etc/x");
	ck_assert_str_eq(o.statedir, "/s");
	ck_assert_str_eq(o.control_path, "/c");
	ck_assert_str_eq(o.pfkey_path, "/k");
	ck_assert_str_eq(o.master, "tcp:localhost:705");
	ck_assert_uint_eq(o.n_attach, 1);
	ck_assert_str_eq(o.attach[0], "tun:red0");
	ck_assert_str_eq(o.import, "/in.xml");
	ck_assert_str_eq(o.pidfile, "/p");
}
END_TEST

START_TEST(test_help_and_version_are_asked_for_by_letter_too)
{
	static const char *const lines[] = {
		"ipspd -h", "ipspd --help", "ipspd -V", "ipspd --version",
	};
	struct options o;

	ck_assert_int_eq(parse(lines[_i], &o), OPTIONS_END);
}
END_TEST

START_TEST(test_nothing_said_means_the_defaults)
{
	struct options o;

	ck_assert_int_eq(parse("ipspd", &o), OPTIONS_RUN);
	ck_assert(!o.foreground && !o.guard_only);
	ck_assert_ptr_null(o.file);
	ck_assert_str_eq(o.statedir, IPSPD_STATEDIR);
	ck_assert_str_eq(o.control_path, IPSPD_RUNDIR "/control");
	ck_assert_str_eq(o.pfkey_path, IPSPD_RUNDIR "/pfkey");
	ck_assert_str_eq(o.pidfile, IPSPD_RUNDIR "/ipspd.pid");
	ck_assert_int_eq(parse("ipspd -f", &o), OPTIONS_RUN);
	ck_assert_ptr_null(o.pidfile);
	ck_assert_int_eq(parse("ipspd -s /a/b/control", &o), OPTIONS_RUN);
	ck_assert_str_eq(o.pfkey_path, "/a/b/pfkey");
}
END_TEST

static const char *const bad_lines[] = {
	"ipspd -S relative", "ipspd -s relative", "ipspd -c relative", "ipspd -i relative",
	"ipspd -a", "ipspd -a elsewhere", "ipspd -a tun:", "ipspd -a tun:a/b",
	"ipspd -a tun:sixteen-octets-long", "ipspd -a tun -a none", "ipspd -a pcap:a",
	"ipspd -a pcap:,b", "ipspd -a pcap:a,", "ipspd -a pcap:a,a", "ipspd -a pcap:a,b,c",
	"ipspd -a pcap:a%d,b", "ipspd -a pcap:a,sixteen-octets-xx", "ipspd -a pcap:sixteen-octets-xx,b",
	"ipspd -a nfqueue:", "ipspd -a nfqueue:a,", "ipspd -a nfqueue:a,,b", "ipspd -a nfqueue:a%d",
	"ipspd -a nfqueue:sixteen-octets-xx", "ipspd -a nfqueue:1,2,3,4,5,6,7,8,9", "ipspd -a nfqueues",
	"ipspd --no-such-option", "ipspd word",
};

START_TEST(test_queues_are_of_rows_or_of_interfaces_that_are_named)
{
	struct attach a;

	ck_assert_ptr_null(attach_parse("nfqueue", &a));
	ck_assert_int_eq(a.kind, ATTACH_NFQUEUE);
	ck_assert_uint_eq(a.n_queued, 0);
	ck_assert_ptr_null(attach_parse("nfqueue:lan,fifteen-octets-", &a));
	ck_assert_uint_eq(a.n_queued, 2);
	ck_assert_str_eq(a.queued[0], "lan");
	ck_assert_str_eq(a.queued[1], "fifteen-octets-");
	ck_assert_ptr_null(attach_parse("nfqueue:1,2,3,4,5,6,7,8", &a));
	ck_assert_uint_eq(a.n_queued, ATTACH_QUEUED_MAX);
}
END_TEST

START_TEST(test_a_bump_in_the_wire_has_two_interfaces)
{
	struct attach a;

	ck_assert_ptr_null(attach_parse("pcap:red0,fifteen-octets-", &a));
	ck_assert_int_eq(a.kind, ATTACH_PCAP);
	ck_assert_str_eq(a.red, "red0");
	ck_assert_str_eq(a.black, "fifteen-octets-");
}
END_TEST

START_TEST(test_bad_line_is_refused)
{
	struct options o;

	ck_assert_msg(parse(bad_lines[_i], &o) == OPTIONS_BAD, "%s", bad_lines[_i]);
}
END_TEST

/* ---- options file ---- */

static int file_of(const char *text, size_t len)
{
	int fd = memfd_create("options", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

START_TEST(test_options_file_says_what_it_says)
{
	static const char text[] = "# a comment\n"
				   "master = \"tcp:192.0.2.1:705\"\n"
				   "log-level = \"debug\"\n"
				   "workers = 3\n"
				   "offload = off\n"
				   "crypto-provider = \"gcrypt\"\n"
				   "allow-weak = true\n"
				   "fast-send = \"packet\"\n"
				   "attach = { \"tun:blue0\" }\n";
	struct options_file f;
	char why[256];

	options_file_init(&f);
	ck_assert_msg(options_file_read(file_of(text, strlen(text)), "f", &f, why, sizeof(why)),
		      "%s", why);
	ck_assert_str_eq(f.master, "tcp:192.0.2.1:705");
	ck_assert_uint_eq(f.options.log_level, LOG_DEBUG);
	ck_assert_uint_eq(f.options.n_attach, 1);
	ck_assert_str_eq(f.options.attach[0], "tun:blue0");
	ck_assert_uint_eq(f.options.n_workers, 3);
	ck_assert(!f.options.offload);
	ck_assert_uint_eq(f.options.crypto, IPSP_CRYPTO_GCRYPT);
	ck_assert(f.options.allow_weak);
	ck_assert_uint_eq(f.options.fast_send, ENGINE_FAST_PACKET);
}
END_TEST

START_TEST(test_empty_options_file_leaves_the_defaults)
{
	struct options_file f;
	char why[256];

	options_file_init(&f);
	ck_assert(options_file_read(file_of("", 0), "f", &f, why, sizeof(why)));
	ck_assert_str_eq(f.master, "unix:/var/agentx/master");
	ck_assert_uint_eq(f.options.log_level, LOG_INFO);
	ck_assert_uint_eq(f.options.n_workers, 0);
	ck_assert_uint_eq(f.options.crypto, IPSP_CRYPTO_AUTO);
	ck_assert(!f.options.allow_weak);
	ck_assert_uint_eq(f.options.fast_send, ENGINE_FAST_NO);
}
END_TEST

static const struct {
	const char *text;
	const char *names;	/* what the refusal must mention */
} bad_files[] = {
	{ "master = \"\"\n", "master" },
	{ "log-level = \"loud\"\n", "log-level" },
	{ "attach = { \"tun\", \"none\" }\n", "attach" },
	{ "attach = { \"tun:a/b\" }\n", "attach" },
	{ "\n\nno-such-key = 1\n", "line 3" },
	{ "master = {\n", "line" },
	{ "workers = 17\n", "workers" },
	{ "workers = -1\n", "workers" },
	{ "offload = perhaps\n", "offload" },
	{ "crypto-provider = \"fast\"\n", "crypto-provider" },
	{ "allow-weak = 3des\n", "allow-weak" },
	{ "fast-send = \"xdp\"\n", "fast-send" },
	{ "master \"x\"\n", "line 1" },
};

START_TEST(test_bad_options_file_is_refused_and_changes_nothing)
{
	struct options_file f, before;
	char why[256] = "";

	options_file_init(&f);
	before = f;
	ck_assert(!options_file_read(file_of(bad_files[_i].text, strlen(bad_files[_i].text)), "f",
				     &f, why, sizeof(why)));
	ck_assert_msg(strstr(why, bad_files[_i].names) != NULL, "%s", why);
	ck_assert_mem_eq(&f, &before, sizeof(f));
}
END_TEST

START_TEST(test_options_file_too_large_or_binary_is_refused)
{
	static char big[70000];
	struct options_file f;
	char why[256];

	options_file_init(&f);
	memset(big, '\n', sizeof(big));
	ck_assert(!options_file_read(file_of(big, sizeof(big)), "f", &f, why, sizeof(why)));
	ck_assert(!options_file_read(file_of("a\0b", 3), "f", &f, why, sizeof(why)));
}
END_TEST

/* ---- START and OPTIONS ---- */

static struct agent_start got_agent;
static struct engine_start got_engine;
static struct agent_options got_options;
static bool good;

static void on_message(void *arg, struct chan_msg *m)
{
	(void)arg;
	if (m->type == MSG_OPTIONS)
		good = agent_options_read(m, &got_options);
	else if (m->len > 200)
		good = agent_start_read(m, &got_agent);
	else
		good = engine_start_read(m, &got_engine);
}

static void on_closed(void *arg, int why)
{
	(void)arg;
	(void)why;
}

static struct event_base *base;
static struct chan *from, *to;

static void connect_pair(void)
{
	struct chan_handler h = { on_message, on_closed, NULL };
	int fds[2];

	base = event_base_new();
	ck_assert_int_eq(chan_pair(fds), 0);
	ck_assert_int_eq(chan_new(base, fds[0], &h, &from), 0);
	ck_assert_int_eq(chan_new(base, fds[1], &h, &to), 0);
	good = false;
}

static void disconnect_pair(void)
{
	chan_free(from);
	chan_free(to);
	event_base_free(base);
}

START_TEST(test_agents_start_arrives_with_its_descriptors_in_their_places)
{
	struct agent_start s = { .log_level = LOG_WARNING, .first = true,
				 .guard_generation = 1ull << 40 };
	int pipes[2];

	connect_pair();
	ck_assert_int_eq(pipe(pipes), 0);
	memset(s.statedir, 'd', 230);
	snprintf(s.master, sizeof(s.master), "unix:/m");
	s.fds[AGENT_FD_OPTIONS] = -1;
	s.fds[AGENT_FD_CONTROL] = pipes[0];
	s.fds[AGENT_FD_IMPORT] = pipes[1];
	ck_assert_int_eq(agent_start_send(from, &s), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert(good);
	ck_assert_str_eq(got_agent.statedir, s.statedir);
	ck_assert_str_eq(got_agent.master, "unix:/m");
	ck_assert(got_agent.first);
	ck_assert(!got_agent.background);
	ck_assert_uint_eq(got_agent.guard_generation, 1ull << 40);
	ck_assert_int_eq(got_agent.fds[AGENT_FD_OPTIONS], -1);
	ck_assert_int_eq(write(got_agent.fds[AGENT_FD_IMPORT], "x", 1), 1);
	char c;
	ck_assert_int_eq(read(got_agent.fds[AGENT_FD_CONTROL], &c, 1), 1);
	close(got_agent.fds[AGENT_FD_CONTROL]);
	close(got_agent.fds[AGENT_FD_IMPORT]);
	close(pipes[0]);
	close(pipes[1]);
	disconnect_pair();
}
END_TEST

START_TEST(test_engines_start_arrives)
{
	struct engine_start s;

	connect_pair();
	engine_start_init(&s);
	s.log_level = LOG_INFO;
	s.n_workers = 3;
	s.offload = ENGINE_OFFLOAD_UDP;
	s.crypto = IPSP_CRYPTO_IPSEC_MB;
	s.allow_weak = true;
	s.tun_ifindex = 9;
	s.tun_mtu = 1400;
	snprintf(s.tun_name, sizeof(s.tun_name), "ipspd0");
	s.red_ifindex = 3;
	s.black_ifindex = 4;
	s.fds[ENGINE_FD_COUNTERS][0] = STDIN_FILENO;
	s.fds[ENGINE_FD_TUN][2] = STDIN_FILENO;
	ck_assert_int_eq(engine_start_send(from, &s), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert(good);
	ck_assert_uint_eq(got_engine.tun_ifindex, 9);
	ck_assert_uint_eq(got_engine.tun_mtu, 1400);
	ck_assert_str_eq(got_engine.tun_name, "ipspd0");
	ck_assert_uint_eq(got_engine.red_ifindex, 3);
	ck_assert_uint_eq(got_engine.black_ifindex, 4);
	ck_assert_uint_eq(got_engine.n_workers, 3);
	ck_assert_uint_eq(got_engine.offload, ENGINE_OFFLOAD_UDP);
	ck_assert_uint_eq(got_engine.crypto, IPSP_CRYPTO_IPSEC_MB);
	ck_assert(got_engine.allow_weak);
	ck_assert_int_eq(got_engine.fds[ENGINE_FD_TUN][0], -1);
	ck_assert_int_eq(got_engine.fds[ENGINE_FD_TUN][1], -1);
	ck_assert_int_ge(got_engine.fds[ENGINE_FD_TUN][2], 0);
	ck_assert_int_ge(got_engine.fds[ENGINE_FD_COUNTERS][0], 0);
	engine_start_close_all(&got_engine);
	ck_assert_int_eq(got_engine.fds[ENGINE_FD_COUNTERS][0], -1);
	disconnect_pair();
}
END_TEST

START_TEST(test_descriptors_without_a_place_of_their_own_are_refused)
{
	static const struct {
		const char *name;
		uint8_t n_workers, places[4];
		size_t n_places, n_fds;
		bool good;
	} cases[] = {
		{ "two in order", 2, { ENGINE_FD_TUN, 0, ENGINE_FD_TUN, 1 }, 2, 2, true },
		{ "no worker", 0, { 0 }, 0, 0, false },
		{ "too many workers", ENGINE_WORKERS_MAX + 1, { 0 }, 0, 0, false },
		{ "of a worker that is not", 2, { ENGINE_FD_TUN, 2 }, 1, 1, false },
		{ "of no kind", 2, { ENGINE_FDS, 0 }, 1, 1, false },
		{ "twice the same", 2, { ENGINE_FD_TUN, 1, ENGINE_FD_TUN, 1 }, 2, 2, false },
		{ "out of order", 2, { ENGINE_FD_TUN, 1, ENGINE_FD_TUN, 0 }, 2, 2, false },
		{ "a place too many", 2, { ENGINE_FD_TUN, 0, ENGINE_FD_TUN, 1 }, 2, 1, false },
		{ "a descriptor too many", 2, { ENGINE_FD_TUN, 0 }, 1, 2, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const int fds[2] = { STDIN_FILENO, STDIN_FILENO };
		uint8_t buf[64];
		struct chan_writer w = { .data = buf, .size = sizeof(buf) };

		connect_pair();
		chan_put_u8(&w, LOG_INFO);
		chan_put_u8(&w, cases[i].n_workers);
		for (size_t j = 0; j < 3; j++)
			chan_put_u8(&w, 0);
		for (size_t j = 0; j < 4; j++)
			chan_put_u32(&w, 0);
		chan_put_text(&w, "ipspd0");
		chan_put_octets(&w, cases[i].places, 2 * cases[i].n_places);
		good = !cases[i].good;
		ck_assert_int_eq(chan_send(from, MSG_START, buf, w.len, fds, cases[i].n_fds), 0);
		event_base_loop(base, EVLOOP_NONBLOCK);
		ck_assert_msg(good == cases[i].good, "%s", cases[i].name);
		if (good)
			engine_start_close_all(&got_engine);
		disconnect_pair();
	}
}
END_TEST

START_TEST(test_options_that_no_agent_of_ours_sends_are_refused)
{
	struct agent_options o = { .log_level = LOG_INFO, .n_attach = 1 };

	connect_pair();
	snprintf(o.attach[0], sizeof(o.attach[0]), "tun:x");
	ck_assert_int_eq(agent_options_send(from, &o), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert(good);
	ck_assert_str_eq(got_options.attach[0], "tun:x");

	snprintf(o.attach[0], sizeof(o.attach[0]), "tun:../../x");
	ck_assert_int_eq(agent_options_send(from, &o), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert(!good);

	snprintf(o.attach[0], sizeof(o.attach[0]), "tun");
	o.log_level = 8;
	good = true;
	ck_assert_int_eq(agent_options_send(from, &o), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert(!good);
	disconnect_pair();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/options");
	TCase *tc = tcase_create("options");

	tcase_add_test(tc, test_every_option_is_taken);
	tcase_add_loop_test(tc, test_help_and_version_are_asked_for_by_letter_too, 0, 4);
	tcase_add_test(tc, test_nothing_said_means_the_defaults);
	tcase_add_test(tc, test_a_bump_in_the_wire_has_two_interfaces);
	tcase_add_test(tc, test_queues_are_of_rows_or_of_interfaces_that_are_named);
	tcase_add_loop_test(tc, test_bad_line_is_refused, 0,
			    sizeof(bad_lines) / sizeof(bad_lines[0]));
	tcase_add_test(tc, test_options_file_says_what_it_says);
	tcase_add_test(tc, test_empty_options_file_leaves_the_defaults);
	tcase_add_loop_test(tc, test_bad_options_file_is_refused_and_changes_nothing, 0,
			    sizeof(bad_files) / sizeof(bad_files[0]));
	tcase_add_test(tc, test_options_file_too_large_or_binary_is_refused);
	tcase_add_test(tc, test_agents_start_arrives_with_its_descriptors_in_their_places);
	tcase_add_test(tc, test_engines_start_arrives);
	tcase_add_test(tc, test_descriptors_without_a_place_of_their_own_are_refused);
	tcase_add_test(tc, test_options_that_no_agent_of_ours_sends_are_refused);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
