/*
 * ipspctl/operate.c - what a manager does by SETs of IPSPD-MIB, by the words people use.
 *
 * The same SETs, through the control socket: an operation is asked for by its row and watched there
 * until it has ended. Nothing here is done in another way than by SNMP.
 */
#include "config.h"

#include "ipspctl/operate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_MS 50

/* ---- requests ---- */

struct rows {
	struct json_object *list;	/* the items of an answer */
};

static void keep(void *arg, struct json_object *item)
{
	struct rows *r = arg;

	json_object_array_add(r->list, json_object_get(item));
}

/* Takes the request. @return false: the reason was printed */
static bool ask_quietly(struct context *x, struct json_object *request, struct rows *out)
{
	const struct client_handler handler = { keep, NULL, out, NULL };
	struct json_object *error = NULL;
	bool answered;

	out->list = json_object_new_array();
	answered = client_request(x->socket, request, -1, &handler, &error);
	json_object_put(request);
	if (answered && error)
		print_error(error, NULL);
	if (answered && !error)
		return true;
	json_object_put(error);
	json_object_put(out->list);
	return false;
}

static struct json_object *row_request(const char *command, const char *table, const char *index)
{
	struct json_object *r = ctl_new_request(command);

	ctl_add_text(r, "table", table);
	if (index)
		ctl_add_text(r, "index", index);
	return r;
}

static bool set_one(struct context *x, const char *command, const char *table, const char *index,
		    struct json_object *values)
{
	struct json_object *r = row_request(command, table, index);
	struct rows unused;

	json_object_object_add(r, "values", values);
	if (!ask_quietly(x, r, &unused))
		return false;
	json_object_put(unused.list);
	return true;
}

static struct json_object *one_value(const char *column, const char *value)
{
	struct json_object *values = json_object_new_object();

	json_object_object_add(values, column, json_object_new_string(value));
	return values;
}

static const char *value_of(struct json_object *item, const char *column)
{
	struct json_object *values, *v;

	if (!json_object_object_get_ex(item, "values", &values) ||
	    !json_object_object_get_ex(values, column, &v))
		return "";
	return json_object_get_string(v);
}

/* The row's columns; NULL: the reason was printed. Caller puts it. */
static struct json_object *get_row(struct context *x, const char *table, const char *index)
{
	struct json_object *row = NULL;
	struct rows rows;

	if (!ask_quietly(x, row_request("get", table, index), &rows))
		return NULL;
	if (json_object_array_length(rows.list) == 1)
		row = json_object_get(json_object_array_get_idx(rows.list, 0));
	json_object_put(rows.list);
	return row;
}

/* ---- until it has ended ---- */

/* Shows the row that tells how it ended. */
static int show_end(struct context *x, const char *table, const char *index,
		    struct json_object *row, const char *state, const char *text)
{
	const bool well = strcmp(value_of(row, state), "succeeded") == 0;

	if (x->json)
		return ctl_ask(x, row_request("get", table, index), -1, print_row, NULL) ==
		       EXIT_OK && well ? EXIT_OK : EXIT_REFUSED;
	fprintf(well ? stdout : stderr, "%s%s\n", well ? "" : "ipspctl: ", value_of(row, text));
	return well ? EXIT_OK : EXIT_REFUSED;
}

static void rest(void)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };

	nanosleep(&pause, NULL);
}

/* Watches a row until its state column says that it has ended, and another run than `before`. */
static int watch(struct context *x, const char *table, const char *index, const char *state,
		 const char *text, const char *runs, const char *before)
{
	for (;;) {
		struct json_object *row = get_row(x, table, index);
		const char *now = row ? value_of(row, state) : "";
		int rc = EXIT_REFUSED;

		if (row && (strcmp(now, "running") == 0 ||
			    (runs && strcmp(value_of(row, runs), before) == 0))) {
			json_object_put(row);
			rest();
			continue;
		}
		if (row)
			rc = show_end(x, table, index, row, state, text);
		json_object_put(row);
		return rc;
	}
}

/* ---- operations ---- */

static int operate(struct context *x, const char *operation)
{
	static const char table[] = "ipspdOperationTable";
	struct json_object *row = get_row(x, table, operation);
	char before[32];

	if (!row)
		return EXIT_REFUSED;
	snprintf(before, sizeof(before), "%s", value_of(row, "ipspdOperationRuns"));
	json_object_put(row);
	if (!set_one(x, "set", table, operation, one_value("ipspdOperationRequest", "run")))
		return EXIT_REFUSED;
	return watch(x, table, operation, "ipspdOperationState", "ipspdOperationText",
		     "ipspdOperationRuns", before);
}

int ctl_save(struct context *x, int argc, char **argv)
{
	(void)argv;
	return argc != 0 ? ctl_usage_error("save", "") : operate(x, "save");
}

int ctl_reload(struct context *x, int argc, char **argv)
{
	(void)argv;
	return argc != 0 ? ctl_usage_error("reload", "") : operate(x, "reloadOptions");
}

int ctl_flush(struct context *x, int argc, char **argv)
{
	static const struct {
		const char *word, *operation;
	} which[] = {
		{ "all", "flushSas" },
		{ "inbound", "flushInboundSas" },
		{ "outbound", "flushOutboundSas" },
		{ "esp", "flushEspSas" },
		{ "ah", "flushAhSas" },
	};

	for (size_t i = 0; argc <= 1 && i < sizeof(which) / sizeof(which[0]); i++)
		if (strcmp(argc == 1 ? argv[0] : "all", which[i].word) == 0)
			return operate(x, which[i].operation);
	return ctl_usage_error("flush", CTL_FLUSH_USAGE);
}

/* ---- connections ---- */

/* Is that row one of the connection's? Its index begins with kind and name. */
static bool is_named(struct json_object *item, const char *name)
{
	static const char *const kinds[] = { "manual", "ike" };
	struct json_object *index;
	char want[160];

	if (!json_object_object_get_ex(item, "index", &index))
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int n = snprintf(want, sizeof(want), "%s,\"%s\",", kinds[i], name);

		if (n > 0 && (size_t)n < sizeof(want) &&
		    strncmp(json_object_get_string(index), want, (size_t)n) == 0)
			return true;
	}
	return false;
}

static int connection(struct context *x, const char *name, const char *request)
{
	static const char table[] = "ipspdConnTable";
	struct rows rows;
	int rc = EXIT_OK;
	size_t n = 0;

	if (!ask_quietly(x, row_request("rows", table, NULL), &rows))
		return EXIT_REFUSED;
	for (size_t i = 0; i < json_object_array_length(rows.list); i++) {
		struct json_object *item = json_object_array_get_idx(rows.list, i), *index;

		if (!is_named(item, name) || !json_object_object_get_ex(item, "index", &index))
			continue;
		n++;
		if (!set_one(x, "set", table, json_object_get_string(index),
			     one_value("ipspdConnRequest", request)))
			rc = EXIT_REFUSED;
	}
	json_object_put(rows.list);
	if (n > 0)
		return rc;
	fprintf(stderr, "ipspctl: %s: no such connection\n", name);
	return EXIT_REFUSED;
}

int ctl_initiate(struct context *x, int argc, char **argv)
{
	if (argc != 1)
		return ctl_usage_error("initiate", "NAME|--all");
	if (strcmp(argv[0], "--all") == 0)
		return operate(x, "initiateSas");
	return connection(x, argv[0], "initiate");
}

int ctl_terminate(struct context *x, int argc, char **argv)
{
	return argc != 1 ? ctl_usage_error("terminate", "NAME") :
			   connection(x, argv[0], "terminate");
}

int ctl_rekey(struct context *x, int argc, char **argv)
{
	return argc != 1 ? ctl_usage_error("rekey", "NAME") : connection(x, argv[0], "rekey");
}

/* ---- jobs ---- */

/* What stands behind NAME and FILE. */
static bool job_options(struct json_object *values, int argc, char **argv)
{
	static const struct {
		const char *word, *column, *value;
	} flags[] = {
		{ "--export", "ipspdJobKind", "export" },
		{ "--replace", "ipspdJobMode", "replace" },
		{ "--dry-run", "ipspdJobDryRun", "true" },
	};

	for (int i = 0; i < argc; i++) {
		size_t k = 0;

		while (k < sizeof(flags) / sizeof(flags[0]) && strcmp(flags[k].word, argv[i]) != 0)
			k++;
		if (k < sizeof(flags) / sizeof(flags[0])) {
			json_object_object_add(values, flags[k].column,
					       json_object_new_string(flags[k].value));
		} else if (strcmp(argv[i], "--timeout") == 0 && i + 1 < argc) {
			json_object_object_add(values, "ipspdJobTimeout",
					       json_object_new_string(argv[++i]));
		} else {
			return false;
		}
	}
	return true;
}

int ctl_job(struct context *x, int argc, char **argv)
{
	static const char table[] = "ipspdJobTable";
	struct json_object *values = json_object_new_object();
	char index[128];

	if (argc < 2 || !job_options(values, argc - 2, argv + 2)) {
		json_object_put(values);
		return ctl_usage_error("job", CTL_JOB_USAGE);
	}
	json_object_object_add(values, "ipspdJobFile", json_object_new_string(argv[1]));
	snprintf(index, sizeof(index), "\"%s\"", argv[0]);
	if (!set_one(x, "create", table, index, values))
		return EXIT_REFUSED;
	return watch(x, table, index, "ipspdJobState", "ipspdJobText", NULL, NULL);
}
