/*
 * ipspd/options.c - the command line of ipspd(8).
 *
 * All that root parses. Paths must be absolute: the daemon leaves the directory it was started in,
 * and what a child is told must mean the same there.
 */
#include "config.h"

#include "ipspd/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { OPT_PIDFILE = 256, OPT_GUARD_ONLY };

static const struct option longopts[] = {
	{ "foreground", no_argument, NULL, 'f' },
	{ "config", required_argument, NULL, 'c' },
	{ "statedir", required_argument, NULL, 'S' },
	{ "control", required_argument, NULL, 's' },
	{ "pfkey", required_argument, NULL, 'k' },
	{ "master", required_argument, NULL, 'x' },
	{ "attach", required_argument, NULL, 'a' },
	{ "import", required_argument, NULL, 'i' },
	{ "pidfile", required_argument, NULL, OPT_PIDFILE },
	{ "guard-only", no_argument, NULL, OPT_GUARD_ONLY },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static void usage(FILE *f)
{
	fputs("usage: ipspd [-f] [-c FILE] [-S STATEDIR] [-s CONTROLSOCK] [-k PFKEYSOCK]\n"
	      "             [-x MASTER] [-a ATTACH]... [-i FILE.xml]\n"
	      "\n"
	      "  -f, --foreground         stay in the foreground, log to stderr\n"
	      "  -c, --config FILE        options file (" IPSPD_SYSCONFDIR "/ipspd.conf)\n"
	      "  -S, --statedir DIR       state directory (" IPSPD_STATEDIR ")\n"
	      "  -s, --control PATH       control socket (" IPSPD_RUNDIR "/control)\n"
	      "  -k, --pfkey PATH         PF_KEY socket (pfkey, beside the control socket)\n"
	      "  -x, --master ADDRESS     AgentX master, in Net-SNMP's notation\n"
	      "  -a, --attach ATTACH      where packets come from: tun[:NAME],\n"
	      "                           nfqueue[:IF,..], pcap:RED,BLACK or none\n"
	      "  -i, --import FILE        import this XML file before serving\n"
	      "      --pidfile FILE       write the process id there ("
	      IPSPD_RUNDIR "/ipspd.pid in the background)\n"
	      "      --guard-only         load the saved guard into the kernel and end\n"
	      "  -h, --help               this text\n"
	      "  -V, --version            the version\n", f);
}

/* @return false, said why: no absolute path, or longer than its room */
static bool take_path(const char *what, const char *value, const char **to)
{
	if (value[0] != '/') {
		fprintf(stderr, "ipspd: %s \"%s\": must be an absolute path\n", what, value);
		return false;
	}
	if (strlen(value) >= START_PATH_MAX) {
		fprintf(stderr, "ipspd: %s: longer than %d octets\n", what, START_PATH_MAX - 1);
		return false;
	}
	*to = value;
	return true;
}

static bool take_attach(const char *value, struct options *o)
{
	struct attach unused;
	const char *wrong = attach_parse(value, &unused);

	if (!wrong && o->n_attach > 0)
		wrong = "only one attachment is possible";
	if (wrong) {
		fprintf(stderr, "ipspd: -a %s: %s\n", value, wrong);
		return false;
	}
	o->attach[o->n_attach++] = value;
	return true;
}

static bool take(int c, const char *value, struct options *o)
{
	switch (c) {
	case 'f':
		o->foreground = true;
		return true;
	case 'c':
		return take_path("options file", value, &o->file);
	case 'S':
		return take_path("state directory", value, &o->statedir);
	case 's':
		return take_path("control socket", value, &o->control_path);
	case 'k':
		o->pfkey_given = true;
		return take_path("PF_KEY socket", value, &o->pfkey_path);
	case 'i':
		return take_path("import file", value, &o->import);
	case OPT_PIDFILE:
		return take_path("PID file", value, &o->pidfile);
	case 'a':
		return take_attach(value, o);
	case 'x':
		if (strlen(value) >= START_PATH_MAX) {
			fprintf(stderr, "ipspd: AgentX master: address too long\n");
			return false;
		}
		o->master = value;
		return true;
	case OPT_GUARD_ONLY:
		o->guard_only = true;
		return true;
	default:
		usage(stderr);
		return false;
	}
}

/* Of each control socket there is one, so that several instances need not be told of both. */
static void set_pfkey_path(struct options *o)
{
	static char path[START_PATH_MAX];
	const char *slash = strrchr(o->control_path, '/');
	const int dir = slash ? (int)(slash - o->control_path) : 1;

	if (o->pfkey_given)
		return;
	snprintf(path, sizeof(path), "%.*s/pfkey", dir, slash ? o->control_path : ".");
	o->pfkey_path = path;
}

enum options_outcome options_parse(int argc, char **argv, struct options *out)
{
	struct options o = {
		.statedir = IPSPD_STATEDIR,
		.control_path = IPSPD_RUNDIR "/control",
		.master = "",
	};
	int c;

	while ((c = getopt_long(argc, argv, "fc:S:s:k:x:a:i:hV", longopts, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return OPTIONS_END;
		}
		if (c == 'V') {
			puts("ipspd " PACKAGE_VERSION);
			return OPTIONS_END;
		}
		if (!take(c, optarg, &o))
			return OPTIONS_BAD;
	}
	if (optind < argc) {
		fprintf(stderr, "ipspd: \"%s\": no arguments besides options\n", argv[optind]);
		return OPTIONS_BAD;
	}
	set_pfkey_path(&o);
	if (!o.foreground && !o.pidfile)
		o.pidfile = IPSPD_RUNDIR "/ipspd.pid";
	*out = o;
	return OPTIONS_RUN;
}
