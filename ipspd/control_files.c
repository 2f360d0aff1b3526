/*
 * ipspd/control_files.c - import and export of XML for the command line.
 *
 * A file is a descriptor that the client passes, or a URL; a process of its own reads it
 * (ipspd/agent_import.c). A descriptor must be an anonymous file in memory, so that writing cannot
 * stall the agent, as a file on a network or one served by the client could. Sealed secrets take
 * one question more: the client is told the salt, and answers with the key.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "ipspd/control_client.h"
#include "xml/names.h"
#include "xml/xml.h"

_Static_assert(CONTROL_FILE_MAX == XML_FILE_MAX, "what clients may send is what we may read");

/* Only files in memory have seals to be asked for. */
static bool is_anonymous(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fcntl(fd, F_GET_SEALS) >= 0;
}

/* ---- the key of sealed secrets ---- */

static void stop_timer(struct control_client *c)
{
	if (c->timer)
		event_free(c->timer);
	c->timer = NULL;
}

static void no_key(evutil_socket_t fd, short what, void *arg)
{
	struct control_client *c = arg;
	struct mib_diag d = { 0 };

	(void)fd;
	(void)what;
	mib_diag_set(&d, NULL, NULL, 0, "the key of the secrets did not come within %d seconds",
		     CONTROL_KEY_S);
	client_refuse(c, MIB_RESOURCE_UNAVAILABLE, &d);
}

/* Tells the client what the key is made from; it answers with a CTL_KEY. */
static void ask_for_key(struct control_client *c, enum mib_file_seal_kind kind,
			const uint8_t salt[MIB_FILE_SEAL_SALT],
			void (*arrived)(struct control_client *c, int fd))
{
	const struct timeval limit = { .tv_sec = CONTROL_KEY_S };
	struct json_object *item, *seal;
	char hex[2 * MIB_FILE_SEAL_SALT + 1];

	c->timer = evtimer_new(agent_base(c->agent), no_key, c);
	if (!c->timer || evtimer_add(c->timer, &limit) < 0) {
		client_no_memory(c);
		return;
	}
	for (size_t i = 0; i < MIB_FILE_SEAL_SALT; i++)
		snprintf(hex + 2 * i, 3, "%02x", salt[i]);
	item = json_object_new_object();
	seal = json_object_new_object();
	control_json_add(seal, "kind", json_object_new_string(
		kind == MIB_FILE_SEAL_KEYFILE ? "key-file" : "passphrase"));
	control_json_add(seal, "salt", json_object_new_string(hex));
	control_json_add(item, "seal", seal);
	c->seal_kind = kind;
	memcpy(c->seal_salt, salt, sizeof(c->seal_salt));
	c->key_arrived = arrived;
	client_item(c, item);
}

/* From a pipe, whose octets are never on a disk, and which cannot make us wait. */
static bool read_key(int fd, struct mib_secret *key)
{
	struct stat st;
	uint8_t more;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode) ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
	    mib_secret_init(key, MIB_FILE_SEAL_KEY) != MIB_OK)
		return false;
	if (read(fd, key->data, key->len) == (ssize_t)key->len && read(fd, &more, 1) <= 0)
		return true;
	mib_secret_fini(key);
	return false;
}

/* @return false: the client has been answered */
static bool take_key(struct control_client *c, int fd)
{
	struct mib_secret key;
	enum mib_err err;

	stop_timer(c);
	c->key_arrived = NULL;
	if (!read_key(fd, &key)) {
		client_usage(c, "a key comes through a pipe and has 64 octets");
		return false;
	}
	err = mib_file_seal_new(c->seal_kind, c->seal_salt, &key, &c->seal);
	mib_secret_fini(&key);
	if (err)
		client_no_memory(c);
	return !err;
}

/* ---- import ---- */

static void add_line(struct control_client *c, const char *kind, const char *line)
{
	struct json_object *item = json_object_new_object();

	control_json_add(item, kind, control_json_text(line));
	client_item(c, item);
}

static void difference(void *arg, const char *line)
{
	add_line(arg, "difference", line);
}

static void not_ready(void *arg, const char *line)
{
	add_line(arg, "not-ready", line);
}

static void add_count(struct json_object *item, const char *name, uint64_t n)
{
	control_json_add(item, name, json_object_new_uint64(n));
}

static void import_answer(struct control_client *c, const struct xml_summary *sum)
{
	struct json_object *item = json_object_new_object();

	add_count(item, "created", sum->created);
	add_count(item, "changed", sum->changed);
	add_count(item, "destroyed", sum->destroyed);
	add_count(item, "rows-not-ready", sum->not_ready);
	add_count(item, "generation", sum->generation);
	client_item(c, item);
	client_end(c);
}

/* What was read becomes a transaction, at once and as a whole. */
static void import_stage(struct control_client *c)
{
	const struct xml_import_options options = {
		.replace = request_flag(c->request, "replace"),
		.dry_run = request_flag(c->request, "dry-run"),
		.who = c->who,
		.seal = c->seal,
		.difference = request_flag(c->request, "difference") ? difference : NULL,
		.not_ready = not_ready,
		.arg = c,
	};
	struct xml_summary sum;
	struct xml_diag d;
	enum mib_err err = import_records_apply(agent_store(c->agent), &c->records, &options, &sum,
						&d);

	if (err == MIB_BUSY) {
		client_wait_for_store(c);
		return;
	}
	if (err) {
		client_refuse_line(c, err, d.line, &d.diag);
		return;
	}
	if (c->seal && !options.dry_run)
		agent_adopt_file_salt(c->agent, c->seal_salt);
	import_answer(c, &sum);
}

static void import_key_arrived(struct control_client *c, int fd)
{
	if (take_key(c, fd))
		import_stage(c);
}

static void import_done(struct agent_parse *q, enum mib_err err, struct import_records *r,
			const struct xml_diag *d)
{
	struct control_client *c =
		(struct control_client *)((char *)q - offsetof(struct control_client, parse));
	struct xml_seal seal;
	struct mib_diag why = { 0 };

	c->abort = NULL;
	if (err) {
		mib_store_refused(agent_store(c->agent));
		client_refuse_line(c, err, d->line, &d->diag);
		return;
	}
	c->records = *r;
	*r = (struct import_records){ 0 };
	c->is_read = true;
	if (!import_records_seal(&c->records, &seal) ||
	    request_flag(c->request, "without-secrets")) {
		import_stage(c);
	} else if (request_flag(c->request, "secrets")) {
		ask_for_key(c, seal.head.kind, seal.head.salt, import_key_arrived);
	} else {
		mib_store_refused(agent_store(c->agent));
		snprintf(why.object, sizeof(why.object), "%s", XML_SEALED);
		snprintf(why.text, sizeof(why.text),
			 "the file has sealed secrets: say their key, or leave them out");
		client_refuse_line(c, MIB_WRONG_VALUE, seal.line, &why);
	}
}

static void forget_parse(struct control_client *c)
{
	agent_forget_parse(c->agent, &c->parse);
}

/* http://.., https://..: whatever else a URL may be, no file of ours and no other protocol. */
static bool url_is_good(const char *url)
{
	return (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0) &&
	       strlen(url) < IMPORT_URL_MAX;
}

static void import(struct control_client *c, struct json_object *request, int fd)
{
	const char *url = request_text(request, "url");
	int64_t seconds = request_number(request, "timeout", IMPORT_SECONDS);

	if (c->is_read) {	/* the store is free now */
		import_stage(c);
	} else if (url && !url_is_good(url)) {
		client_usage(c, "only http and https URLs can be imported");
	} else if (!url && !is_anonymous(fd)) {
		client_usage(c, "import needs a URL or the descriptor of an anonymous file");
	} else if (seconds < 1 || seconds > IMPORT_SECONDS_MAX) {
		client_usage(c, "an import may take 1 to 600 seconds");
	} else {
		c->parse = (struct agent_parse){ .fd = fd, .url = url, .done = import_done,
						 .seconds = (uint32_t)seconds };
		c->abort = forget_parse;
		(void)lseek(fd, 0, SEEK_SET);
		agent_parse_start(c->agent, &c->parse);
	}
}

/* ---- export ---- */

static void export_write(struct control_client *c)
{
	struct mib_diag d = { 0 };
	enum mib_err err = xml_export(agent_store(c->agent), c->fd, c->seal, &d);

	if (err)
		client_refuse(c, err, &d);
	else
		client_end(c);
}

static void export_key_arrived(struct control_client *c, int fd)
{
	if (take_key(c, fd))
		export_write(c);
}

static void export(struct control_client *c, struct json_object *request, int fd)
{
	const char *secrets = request_text(request, "secrets");
	uint8_t salt[MIB_FILE_SEAL_SALT];
	struct mib_diag d = { 0 };
	const bool keyfile = secrets && strcmp(secrets, "key-file") == 0;

	if (!is_anonymous(fd))
		client_usage(c, "export needs the descriptor of an anonymous file");
	else if (!secrets)
		export_write(c);
	else if (!keyfile && strcmp(secrets, "passphrase") != 0)
		client_usage(c, "secrets are sealed under a passphrase or a key-file");
	else if (!agent_file_salt(c->agent, salt, &d))
		client_refuse(c, MIB_COMMIT_FAILED, &d);
	else
		ask_for_key(c, keyfile ? MIB_FILE_SEAL_KEYFILE : MIB_FILE_SEAL_PASSPHRASE, salt,
			    export_key_arrived);
}

void control_files_fini(struct control_client *c)
{
	import_records_fini(&c->records);
	mib_file_seal_free(c->seal);
	c->seal = NULL;
	c->is_read = false;
	c->key_arrived = NULL;
}

static const struct control_member import_members[] = {
	{ "url", json_type_string },
	{ "timeout", json_type_int },
	{ "replace", json_type_boolean },
	{ "dry-run", json_type_boolean },
	{ "difference", json_type_boolean },
	{ "secrets", json_type_boolean },
	{ "without-secrets", json_type_boolean },
	{ NULL, json_type_null },
};
static const struct control_member export_members[] = {
	{ "secrets", json_type_string },
	{ NULL, json_type_null },
};

const struct control_command control_file_commands[] = {
	{ "import", import_members, import },
	{ "export", export_members, export },
	{ NULL, NULL, NULL },
};
