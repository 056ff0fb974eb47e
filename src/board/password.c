#include "board/password.h"

#include <crypt.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum { JOBS_MAX = 16 };

struct job {
    struct password_checker *owner;
    struct job *next;
    char *hash, *password;
    password_fn fn;
    void *ctx;
    bool is_right;
};

struct password_checker {
    struct loop *loop;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *waiting, *done; /* under the lock; done: newest first */
    size_t n;
    bool is_ending;
    char nobody[PASSWORD_HASH_MAX]; /* checked for names that do not exist */
};

static int make_hash(const char *prefix, unsigned long rounds, const char *password, char out[PASSWORD_HASH_MAX],
                     struct err *e)
{
    char salt[CRYPT_GENSALT_OUTPUT_SIZE];
    struct crypt_data *data = xcalloc(1, sizeof(*data));
    const char *hash = NULL;
    if (crypt_gensalt_rn(prefix, rounds, NULL, 0, salt, sizeof(salt)))
        hash = crypt_r(password, salt, data);
    int rc = 0;
    if (!hash || hash[0] != '$')
        rc = err_set(e, "libcrypt cannot make a %s hash", prefix);
    else
        snprintf(out, PASSWORD_HASH_MAX, "%s", hash);
    explicit_bzero(data, sizeof(*data));
    free(data);
    return rc;
}

int password_hash(const char *password, char out[PASSWORD_HASH_MAX], struct err *e)
{
    return make_hash("$y$", 0, password, out, e);
}

int password_hash_fast(const char *secret, char out[PASSWORD_HASH_MAX], struct err *e)
{
    return make_hash("$5$", 1000, secret, out, e);
}

static bool is_equal(const char *a, const char *b)
{
    size_t n = strlen(a);
    unsigned char diff = n != strlen(b);
    for (size_t i = 0; i < n && !diff; i++)
        diff |= (unsigned char)(a[i] ^ b[i]);
    return !diff;
}

bool password_is(const char *hash, const char *secret)
{
    struct crypt_data *data = xcalloc(1, sizeof(*data));
    const char *made = crypt_r(secret, hash, data);
    bool is_right = made && made[0] == '$' && is_equal(made, hash);
    explicit_bzero(data, sizeof(*data));
    free(data);
    return is_right;
}

static bool verify(struct password_checker *p, const struct job *j)
{
    bool is_right = password_is(j->hash ? j->hash : p->nobody, j->password);
    return is_right && j->hash;
}

static void free_job(struct job *j)
{
    explicit_bzero(j->password, strlen(j->password));
    free(j->password);
    free(j->hash);
    free(j);
}

static void deliver(struct password_checker *p)
{
    pthread_mutex_lock(&p->lock);
    struct job *list = p->done;
    p->done = NULL;
    for (struct job *j = list; j; j = j->next)
        p->n--;
    pthread_mutex_unlock(&p->lock);
    while (list) {
        struct job *j = list;
        list = j->next;
        j->fn(j->ctx, j->is_right);
        free_job(j);
    }
}

static void on_done(void *ctx)
{
    deliver(ctx);
}

static void *run(void *arg)
{
    struct password_checker *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->is_ending) {
        struct job *j = p->waiting;
        if (!j) {
            pthread_cond_wait(&p->more, &p->lock);
            continue;
        }
        p->waiting = j->next;
        pthread_mutex_unlock(&p->lock);
        j->is_right = verify(p, j);
        pthread_mutex_lock(&p->lock);
        j->next = p->done;
        p->done = j;
        if (!p->is_ending)
            loop_post(p->loop, on_done, p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct password_checker *password_checker_new(struct loop *l)
{
    struct password_checker *p = xcalloc(1, sizeof(*p));
    struct err e;
    p->loop = l;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    if (password_hash("nobody has this password", p->nobody, &e) || pthread_create(&p->thread, NULL, run, p) != 0)
        abort(); /* without libcrypt or threads nobody could ever log in */
    return p;
}

bool password_check(struct password_checker *p, const char *hash, struct span password, password_fn fn, void *ctx)
{
    pthread_mutex_lock(&p->lock);
    bool has_room = p->n < JOBS_MAX;
    if (has_room) {
        struct job *j = xcalloc(1, sizeof(*j)), **end = &p->waiting;
        *j = (struct job){.owner = p, .fn = fn, .ctx = ctx, .password = xmemdup0(password.p, password.n)};
        j->hash = hash ? xstrdup(hash) : NULL;
        while (*end)
            end = &(*end)->next;
        *end = j;
        p->n++;
        pthread_cond_signal(&p->more);
    }
    pthread_mutex_unlock(&p->lock);
    return has_room;
}

void password_checker_free(struct password_checker **pp)
{
    struct password_checker *p = *pp;
    *pp = NULL;
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->is_ending = true;
    pthread_cond_signal(&p->more);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    deliver(p);
    while (p->waiting) {
        struct job *j = p->waiting;
        p->waiting = j->next;
        j->fn(j->ctx, false);
        free_job(j);
    }
    pthread_cond_destroy(&p->more);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
