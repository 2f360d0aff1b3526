/*
 * ipspd/options_file.c - the options file, read by the agent in its sandbox from a descriptor.
 *
 *   master    = "unix:/var/agentx/master"
 *   attach    = { "tun:ipspd0" }
 *   log-level = "info"
 *   workers   = 0
 *   offload   = true
 *   crypto-provider = "auto"
 *   allow-weak = false
 *   fast-send = "no"
 *   import-directory = "/var/lib/ipspd/import"
 *
 * What a file says is checked whole before any of it counts.
 */
#include "config.h"

#include "ipspd/options.h"

#include <confuse.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "engine/crypto/provider.h"
#include "ipspd/log.h"

#define FILE_MAX (64 * 1024)
#define N_OF(a) (sizeof(a) / sizeof((a)[0]))
#define TEXT_OF(macro) TEXT_OF_IT(macro)
#define TEXT_OF_IT(value) #value

/* libconfuse reports through a callback without an argument of ours. */
static struct {
	char *why;
	size_t size;
} report;

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	int n = snprintf(report.why, report.size, "%s line %d: ",
			 cfg && cfg->filename ? cfg->filename : "options file", cfg ? cfg->line : 0);

	if (n >= 0 && (size_t)n < report.size)
		vsnprintf(report.why + n, report.size - (size_t)n, fmt, ap);
}

void options_file_init(struct options_file *f)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->master, sizeof(f->master), "unix:/var/agentx/master");
	f->options.log_level = LOG_INFO;
	f->options.n_workers = 0;
	f->options.offload = true;
	f->options.crypto = IPSP_CRYPTO_AUTO;
	f->options.n_attach = 1;
	snprintf(f->options.attach[0], sizeof(f->options.attach[0]), "tun");
}

static bool wrong(const char *what, const char *reason)
{
	snprintf(report.why, report.size, "options file: %s: %s", what, reason);
	return false;
}

static bool take_attach(cfg_t *cfg, struct agent_options *o)
{
	unsigned n = cfg_size(cfg, "attach");

	if (n == 0)
		return true;
	if (n > 1)
		return wrong("attach", "only one attachment is possible");
	const char *text = cfg_getnstr(cfg, "attach", 0);
	struct attach unused;
	const char *bad = strlen(text) < START_ATTACH_NAME_MAX ? attach_parse(text, &unused) :
								 "too long";
	if (bad)
		return wrong("attach", bad);
	o->n_attach = 1;
	snprintf(o->attach[0], sizeof(o->attach[0]), "%s", text);
	return true;
}

static bool take_workers(cfg_t *cfg, struct agent_options *o)
{
	const long n = cfg_getint(cfg, "workers");

	if (n < 0 || n > ENGINE_WORKERS_MAX)
		return wrong("workers", "use 1 to " TEXT_OF(ENGINE_WORKERS_MAX)
			     ", or 0 for one a processor");
	o->n_workers = (uint8_t)n;
	o->offload = cfg_getbool(cfg, "offload") == cfg_true;
	return true;
}

static bool take_crypto(cfg_t *cfg, struct agent_options *o)
{
	static const char *const words[] = {
		[IPSP_CRYPTO_AUTO] = "auto",
		[IPSP_CRYPTO_GCRYPT] = "gcrypt",
		[IPSP_CRYPTO_IPSEC_MB] = "ipsec-mb",
	};
	const char *word = cfg_getstr(cfg, "crypto-provider");
	size_t choice = IPSP_CRYPTO_AUTO;

	while (word && choice < N_OF(words) && strcmp(words[choice], word) != 0)
		choice++;
	if (choice == N_OF(words))
		return wrong("crypto-provider", "use auto, gcrypt or ipsec-mb");
	if (choice == IPSP_CRYPTO_IPSEC_MB && !IPSPD_IPSEC_MB)
		return wrong("crypto-provider", "ipsec-mb is not built in");
	o->crypto = (uint8_t)choice;
	o->allow_weak = cfg_getbool(cfg, "allow-weak") == cfg_true;
	return true;
}

static bool take_fast_send(cfg_t *cfg, struct agent_options *o)
{
	static const char *const words[] = {
		[ENGINE_FAST_NO] = "no",
		[ENGINE_FAST_PACKET] = "packet",
		[ENGINE_FAST_RING] = "ring",
	};
	const char *word = cfg_getstr(cfg, "fast-send");
	size_t choice = ENGINE_FAST_NO;

	while (word && choice < N_OF(words) && strcmp(words[choice], word) != 0)
		choice++;
	if (choice == N_OF(words))
		return wrong("fast-send", "use no, packet or ring");
	o->fast_send = (uint8_t)choice;
	return true;
}

static bool take(cfg_t *cfg, struct options_file *to)
{
	const char *master = cfg_getstr(cfg, "master");
	const char *level = cfg_getstr(cfg, "log-level");
	const char *import = cfg_getstr(cfg, "import-directory");

	if (import) {
		if (import[0] != '/' || strlen(import) >= sizeof(to->import_directory))
			return wrong("import-directory", "this is no absolute path");
		snprintf(to->import_directory, sizeof(to->import_directory), "%s", import);
	}
	if (master) {
		if (!master[0] || strlen(master) >= sizeof(to->master))
			return wrong("master", "this is no address");
		snprintf(to->master, sizeof(to->master), "%s", master);
	}
	if (level) {
		int n = log_level_parse(level);

		if (n < 0)
			return wrong("log-level", "use emerg, alert, crit, err, warning, notice, "
				     "info or debug");
		to->options.log_level = (uint8_t)n;
	}
	return take_workers(cfg, &to->options) && take_crypto(cfg, &to->options) &&
	       take_fast_send(cfg, &to->options) && take_attach(cfg, &to->options);
}

/* The whole text, so that what is parsed cannot grow meanwhile. @return length, or -1 */
static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, buf + n, size - n);

		if (got < 0)
			return -1;
		if (got == 0)
			return (ssize_t)n;
		n += (size_t)got;
	}
	return -1;
}

bool options_file_read(int fd, const char *name, struct options_file *out, char *why,
		       size_t why_size)
{
	static char text[FILE_MAX];
	cfg_opt_t opts[] = {
		CFG_STR("master", NULL, CFGF_NONE),
		CFG_STR("log-level", NULL, CFGF_NONE),
		CFG_STR("import-directory", NULL, CFGF_NONE),
		CFG_STR_LIST("attach", NULL, CFGF_NONE),
		CFG_INT("workers", 0, CFGF_NONE),
		CFG_BOOL("offload", cfg_true, CFGF_NONE),
		CFG_STR("crypto-provider", NULL, CFGF_NONE),
		CFG_BOOL("allow-weak", cfg_false, CFGF_NONE),
		CFG_STR("fast-send", NULL, CFGF_NONE),
		CFG_END(),
	};
	struct options_file parsed;
	ssize_t len = read_all(fd, text, sizeof(text) - 1);

	close(fd);
	report.why = why;
	report.size = why_size;
	snprintf(why, why_size, "%s: cannot be read", name);
	if (len < 0 || memchr(text, '\0', (size_t)len))
		return wrong(name, len < 0 ? "unreadable, or larger than 64 KiB" : "not text");
	text[len] = '\0';
	cfg_t *cfg = cfg_init(opts, CFGF_NONE);
	if (!cfg)
		return wrong(name, "no memory");
	cfg_set_error_function(cfg, on_error);
	options_file_init(&parsed);
	bool good = cfg_parse_buf(cfg, text) == CFG_SUCCESS && take(cfg, &parsed);
	cfg_free(cfg);
	if (good)
		*out = parsed;
	return good;
}
