/*
 * ipspctl/client.h - one request to a running ipspd over its control socket (ipspd/control.h).
 */
#ifndef IPSPCTL_CLIENT_H
#define IPSPCTL_CLIENT_H

#include <stdbool.h>

#include <json-c/json.h>

/** Called for each object of the answer, in order; borrowed. */
typedef void client_item_fn(void *arg, struct json_object *item);

/**
 * Called when the daemon asks for the key of secrets in a file (ipspd/control.h). seal is borrowed.
 * @return a pipe that holds the key, which is closed then; -1: there is none, and why was printed
 */
typedef int client_key_fn(void *arg, struct json_object *seal);

struct client_handler {
	client_item_fn *item;
	client_key_fn *key;	/* NULL: there is no key to ask for */
	void *item_arg, *key_arg;
};

/**
 * Sends a request and handles its answer until the end.
 * @param socket   path of the control socket
 * @param request  borrowed
 * @param fd       passed along; -1: none
 * @param error    out: the answer's error object, or NULL when it ended well; caller puts it
 * @return false: no answer; the reason has been printed
 */
bool client_request(const char *socket, struct json_object *request, int fd,
		    const struct client_handler *handler, struct json_object **error);

#endif
