/*
 * ipspd/control_files.c - import and export of XML for the command line.
 *
 * The client passes a descriptor; it must be a regular file (ipspctl makes an anonymous one), so
 * that neither reading nor writing can stall the agent.
 */
#include <sys/stat.h>

#include "ipspd/control_client.h"
#include "xml/xml.h"

static bool is_regular(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static void difference(void *arg, const char *line)
{
	struct json_object *item = json_object_new_object();

	json_object_object_add(item, "difference", json_object_new_string(line));
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

	if (!is_regular(fd)) {
		client_usage(c, "import needs the descriptor of a regular file");
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
	if (!is_regular(fd)) {
		client_usage(c, "export needs the descriptor of a regular file");
		return;
	}
	err = xml_export(agent_store(c->agent), fd, &d);
	if (err)
		client_refuse(c, err, &d);
	else
		client_end(c);
}

const struct control_command control_file_commands[] = {
	{ "import", import },
	{ "export", export },
	{ NULL, NULL },
};
