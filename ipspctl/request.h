/*
 * ipspctl/request.h - a command's one request to the daemon, and how its answer is shown.
 */
#ifndef IPSPCTL_REQUEST_H
#define IPSPCTL_REQUEST_H

#include "ipspctl/client.h"
#include "ipspctl/print.h"

/** Exit statuses, as systemd and iproute2 use them. */
enum { EXIT_OK = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

struct context {
	const char *socket;
	const char *statedir;
	bool json;
	bool first;		/* nothing printed yet */
	print_fn *print;
	/** The key of sealed secrets, as client.h's; NULL: there is none. */
	client_key_fn *key;
	void *key_arg;
};

/** Prints how the command is used. @return EXIT_USAGE */
int ctl_usage_error(const char *name, const char *usage);

struct json_object *ctl_new_request(const char *command);
void ctl_add_text(struct json_object *r, const char *key, const char *text);
void ctl_add_flag(struct json_object *r, const char *key);

/**
 * Sends a request, shows the answer, prints an error. Takes the request.
 * @param file  what an error's line number counts in; NULL: no file
 * @return exit status
 */
int ctl_ask(struct context *x, struct json_object *request, int fd, print_fn *print,
	    const char *file);

#endif
