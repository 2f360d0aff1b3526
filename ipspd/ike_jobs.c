/*
 * ipspd/ike_jobs.c - threads that compute key exchanges, so that the event loop never waits for one.
 *
 * A job owns all it touches (ike/world.h). Both lists are guarded by one lock, which is held for an
 * insertion; an eventfd wakes the loop for what is done.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ipspd/ike.h"

#define THREADS_MAX 8

struct item {
	struct item *next;
	struct ike_job *job;
};

struct list {
	struct item *first, **last;
};

struct ike_jobs {
	struct ike_role *role;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct list todo, done;
	bool ending;
	int wake_fd;
	struct event *woken;
	unsigned n_threads;
	pthread_t threads[THREADS_MAX];
};

static void append(struct list *l, struct item *i)
{
	i->next = NULL;
	*l->last = i;
	l->last = &i->next;
}

static struct item *take(struct list *l)
{
	struct item *const i = l->first;

	if (!i)
		return NULL;
	l->first = i->next;
	if (!l->first)
		l->last = &l->first;
	return i;
}

static void *thread_main(void *arg)
{
	struct ike_jobs *const all = arg;
	const uint64_t one = 1;

	pthread_mutex_lock(&all->lock);
	while (!all->ending) {
		struct item *const i = take(&all->todo);

		if (!i) {
			pthread_cond_wait(&all->more, &all->lock);
			continue;
		}
		pthread_mutex_unlock(&all->lock);
		ike_job_run(i->job);
		pthread_mutex_lock(&all->lock);
		const bool first = !all->done.first;

		append(&all->done, i);
		/* A full counter is one that the loop has not read yet. */
		if (first && write(all->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
			abort();
	}
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

static void finish_done(struct ike_jobs *all)
{
	struct item *i;

	for (;;) {
		pthread_mutex_lock(&all->lock);
		i = take(&all->done);
		pthread_mutex_unlock(&all->lock);
		if (!i)
			return;
		ike_job_done(all->role->world, i->job, ike_now_ms());
		free(i);
	}
}

static void on_woken(evutil_socket_t fd, short what, void *arg)
{
	struct ike_jobs *const all = arg;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return;
	finish_done(all);
	ike_role_rearm(all->role);
}

void ike_jobs_put(void *arg, struct ike_job *job)
{
	struct ike_role *const role = arg;
	struct ike_jobs *const all = role->jobs;
	struct item *const i = malloc(sizeof(*i));

	/* Without memory it is done here: the caller waits for the end of every job. */
	if (!i || all->n_threads == 0) {
		free(i);
		ike_job_run(job);
		ike_job_done(role->world, job, ike_now_ms());
		return;
	}
	i->job = job;
	pthread_mutex_lock(&all->lock);
	append(&all->todo, i);
	pthread_cond_signal(&all->more);
	pthread_mutex_unlock(&all->lock);
}

/* Signals are the event loop's. */
static void start_threads(struct ike_jobs *all)
{
	const long n = sysconf(_SC_NPROCESSORS_ONLN);
	sigset_t every, before;

	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &before);
	while (all->n_threads < THREADS_MAX && (long)all->n_threads < (n < 1 ? 1 : n) &&
	       pthread_create(&all->threads[all->n_threads], NULL, thread_main, all) == 0)
		all->n_threads++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int ike_jobs_start(struct ike_role *role)
{
	struct ike_jobs *const all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	role->jobs = all;
	all->role = role;
	all->todo.last = &all->todo.first;
	all->done.last = &all->done.first;
	pthread_mutex_init(&all->lock, NULL);
	pthread_cond_init(&all->more, NULL);
	all->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (all->wake_fd < 0)
		return -errno;
	all->woken = event_new(role->base, all->wake_fd, EV_READ | EV_PERSIST, on_woken, all);
	if (!all->woken || event_add(all->woken, NULL) < 0)
		return -ENOMEM;
	start_threads(all);
	return all->n_threads > 0 ? 0 : -EAGAIN;
}

void ike_jobs_stop(struct ike_role *role)
{
	struct ike_jobs *const all = role->jobs;
	struct item *i;

	if (!all)
		return;
	pthread_mutex_lock(&all->lock);
	all->ending = true;
	pthread_cond_broadcast(&all->more);
	pthread_mutex_unlock(&all->lock);
	for (unsigned k = 0; k < all->n_threads; k++)
		pthread_join(all->threads[k], NULL);
	/* What goes on with one that is done here may put others: they are done at once. */
	all->n_threads = 0;
	finish_done(all);
	while ((i = take(&all->todo))) {
		ike_job_run(i->job);
		ike_job_done(role->world, i->job, ike_now_ms());
		free(i);
	}
	if (all->woken)
		event_free(all->woken);
	if (all->wake_fd >= 0)
		close(all->wake_fd);
	pthread_cond_destroy(&all->more);
	pthread_mutex_destroy(&all->lock);
	free(all);
	role->jobs = NULL;
}
