/*
 * ipspd/control_files.c - import and export of XML for the command line.
 *
 * The client passes a descriptor; it must be an anonymous file in memory, so that neither reading
 * nor writing can stall the agent, as a file on a network or one served by the client could.
 */
#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "ipspd/control_client.h"
#include "xml/xml.h"

_Static_assert(CONTROL_FILE_MAX == XML_FILE_MAX, "what clients may send is what we may read");

/* Only files in memory have seals to be asked for. */
static bool is_anonymous(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fcntl(fd, F_GET_SEALS) >= 0;
}

static void difference(void *arg, const char *line)
{
	struct json_object *item = json_object_new_object();

	json_object_object_add(item, "difference", control_json_text(line));
	client_item(arg, item);
}

static void import(struct control_client *c, struct json_object *request, int fd)
{
	const struct xml_import_options options = {
		.replace = request_flag(request, "replace"),
		.dry_run = request_flag(request, "dry-run"),
		.who = c->who,
		.difference = request_flag(request, "difference") ? difference : NULL,
		.arg = c,
	};
	struct xml_summary sum = { 0 };
	struct xml_diag d = { 0 };
	struct json_object *item;
	enum mib_err err;

	if (!is_anonymous(fd)) {
		client_usage(c, "import needs the descriptor of an anonymous file");
		return;
	}
	err = xml_import(agent_store(c->agent), fd, &options, &sum, &d);
	if (err == MIB_BUSY) {
		client_wait_for_store(c);
		return;
	}
	if (err) {
		client_refuse_line(c, err, d.line, &d.diag);
		return;
	}
	item = json_object_new_object();
	json_object_object_add(item, "created", json_object_new_int64((int64_t)sum.created));
	json_object_object_add(item, "changed", json_object_new_int64((int64_t)sum.changed));
	json_object_object_add(item, "destroyed", json_object_new_int64((int64_t)sum.destroyed));
	json_object_object_add(item, "generation", json_object_new_int64((int64_t)sum.generation));
	client_item(c, item);
	client_end(c);
}

static void export(struct control_client *c, struct json_object *request, int fd)
{
	struct mib_diag d = { 0 };
	enum mib_err err;

	(void)request;
	if (!is_anonymous(fd)) {
		client_usage(c, "export needs the descriptor of an anonymous file");
		return;
	}
	err = xml_export(agent_store(c->agent), fd, &d);
	if (err)
		client_refuse(c, err, &d);
	else
		client_end(c);
}

static const struct control_member import_members[] = {
	{ "replace", json_type_boolean },
	{ "dry-run", json_type_boolean },
	{ "difference", json_type_boolean },
	{ NULL, json_type_null },
};
static const struct control_member no_members[] = { { NULL, json_type_null } };

const struct control_command control_file_commands[] = {
	{ "import", import_members, import },
	{ "export", no_members, export },
	{ NULL, NULL, NULL },
};
