/* TLS: an idle connection holds less than one of OpenSSL's own. */
#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_rig.h"

/* What OpenSSL holds, in bytes. */
static size_t held;

static void *counting_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    void *p = malloc(n);
    held += p ? malloc_usable_size(p) : 0;
    return p;
}

static void counting_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    held -= p ? malloc_usable_size(p) : 0;
    free(p);
}

static void *counting_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    held -= p ? malloc_usable_size(p) : 0;
    p = realloc(p, n);
    held += p ? malloc_usable_size(p) : 0;
    return p;
}

/* What a connection of OpenSSL's own keeps after the handshake, on the server's side. */
static size_t plain_bytes(SSL_CTX *client_ctx, SSL_CTX *server_ctx)
{
    int fd[2], done = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    SSL *c = SSL_new(client_ctx), *s = SSL_new(server_ctx);
    SSL_set_fd(c, fd[0]);
    SSL_set_fd(s, fd[1]);
    for (int i = 0; i < TURNS && done != 1; i++) {
        (void)SSL_connect(c);
        done = SSL_accept(s);
    }
    assert_int_equal(done, 1);
    char b[8];
    (void)SSL_read(c, b, sizeof(b)); /* the ticket */
    SSL_free(c);
    size_t with = held;
    SSL_free(s);
    close(fd[0]);
    close(fd[1]);
    return with - held;
}

static void test_an_idle_connection_is_small(void **state)
{
    (void)state;
    SSL_CTX *ctx = client_new(TLS1_3_VERSION), *plain = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION); /* as clients do: a long list of ciphers is offered */
    SSL_CTX_set_mode(plain, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_num_tickets(plain, 1);
    assert_int_equal(SSL_CTX_use_certificate_file(plain, tls_rig_cert(), SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(plain, tls_rig_key(), SSL_FILETYPE_PEM), 1);
    size_t theirs = plain_bytes(ctx, plain);
    enum { N = 20 };
    struct pair p[N];
    for (int i = 0; i < N; i++) {
        pair_begin(&p[i], ctx);
        pair_handshake(&p[i]);
        both_talk(&p[i]);
        SSL_free(p[i].client);
        p[i].client = NULL;
    }
    size_t with = held;
    for (int i = 0; i < N; i++)
        conn_close(&p[i].s.c);
    size_t ours = (with - held) / N;
    print_message("OpenSSL holds %zu bytes for an idle connection, %zu with what it gives back\n", theirs, ours);
    assert_true(ours + 1650 < theirs);
    for (int i = 0; i < N; i++)
        pair_end(&p[i]);
    SSL_CTX_free(plain);
    SSL_CTX_free(ctx);
}

int main(void)
{
    if (CRYPTO_set_mem_functions(counting_malloc, counting_realloc, counting_free) != 1)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_idle_connection_is_small),
    };
    return cmocka_run_group_tests(tests, tls_rig_setup, tls_rig_teardown);
}
