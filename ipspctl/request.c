/* ipspctl/request.c - see request.h. */
#include "config.h"

#include "ipspctl/request.h"

#include <stdio.h>

int ctl_usage_error(const char *name, const char *usage)
{
	fprintf(stderr, "usage: ipspctl [-s SOCKET] [-S STATEDIR] [--json] %s%s%s\n", name,
		usage[0] ? " " : "", usage);
	return EXIT_USAGE;
}

/* ---- one request ---- */

struct json_object *ctl_new_request(const char *command)
{
	struct json_object *r = json_object_new_object();

	json_object_object_add(r, "command", json_object_new_string(command));
	return r;
}

void ctl_add_text(struct json_object *r, const char *key, const char *text)
{
	json_object_object_add(r, key, json_object_new_string(text));
}

void ctl_add_flag(struct json_object *r, const char *key)
{
	json_object_object_add(r, key, json_object_new_boolean(1));
}

static void show_item(void *arg, struct json_object *item)
{
	const int flags = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
	struct context *x = arg;

	if (x->json)
		printf("%s%s", x->first ? "[\n" : ",\n",
		       json_object_to_json_string_ext(item, flags));
	else
		x->print(item, x->first);
	x->first = false;
	if (x->print == print_line)	/* monitor: whoever reads a pipe reads at once */
		fflush(stdout);
}

int ctl_ask(struct context *x, struct json_object *request, int fd, print_fn *print,
	    const char *file)
{
	const struct client_handler handler = { show_item, x->key, x, x->key_arg };
	struct json_object *error = NULL;
	bool answered;

	x->print = print;
	x->first = true;
	answered = client_request(x->socket, request, fd, &handler, &error);
	json_object_put(request);
	if (x->json && print != print_nothing)
		puts(x->first ? "[]" : "\n]");
	if (!answered)
		return EXIT_REFUSED;
	if (!error)
		return EXIT_OK;
	print_error(error, file);
	json_object_put(error);
	return EXIT_REFUSED;
}
