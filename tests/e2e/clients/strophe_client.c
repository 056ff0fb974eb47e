/* A libstrophe client, driven line by line: strophe_client PORT USER PASSWORD CA
 *
 *   in:  send TO ID BODY | stop                  out: ready RESUMED | message FROM ID BODY | rejected FROM ID REASON |
 * ended
 *
 * STARTTLS with a verified certificate is wanted. When the connection ends without `stop`, it connects anew with its
 * state of stream management, so that the library resumes by itself. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <strophe.h>

static xmpp_ctx_t *ctx;
static xmpp_conn_t *conn;
static xmpp_sm_state_t *sm;
static const char *user, *password, *ca;
static unsigned short port;
static int is_up, wants_stop, wants_connect;

static const char *or_none(const char *text)
{
    return text ? text : "-";
}

static int on_message(xmpp_conn_t *c, xmpp_stanza_t *m, void *arg)
{
    (void)c, (void)arg;
    const char *type = xmpp_stanza_get_type(m);
    xmpp_stanza_t *body = xmpp_stanza_get_child_by_name(m, "body");
    xmpp_stanza_t *error = xmpp_stanza_get_child_by_name(m, "error");
    int is_error = type && strcmp(type, "error") == 0;
    xmpp_stanza_t *from = is_error ? error ? xmpp_stanza_get_child_by_name(error, "text") : NULL : body;
    char *text = from ? xmpp_stanza_get_text(from) : NULL;
    if (is_error || body)
        printf("%s %s %s %s\n", is_error ? "rejected" : "message", or_none(xmpp_stanza_get_from(m)),
               or_none(xmpp_stanza_get_id(m)), or_none(text));
    if (text)
        xmpp_free(ctx, text);
    return 1;
}

static void on_connection(xmpp_conn_t *c, xmpp_conn_event_t event, int error, xmpp_stream_error_t *stream_error,
                          void *arg)
{
    (void)arg;
    if (event == XMPP_CONN_CONNECT) {
        is_up = 1;
        xmpp_handler_add(c, on_message, NULL, "message", NULL, NULL);
        xmpp_stanza_t *presence = xmpp_presence_new(ctx);
        xmpp_send(c, presence);
        xmpp_stanza_release(presence);
        printf("ready %s\n", xmpp_conn_is_secured(c) ? "secured" : "plain");
        return;
    }
    if (event != XMPP_CONN_DISCONNECT)
        return;
    is_up = 0;
    printf("ended %d %s\n", error, stream_error ? or_none(stream_error->text) : "-");
    if (wants_stop)
        return;
    sm = xmpp_conn_get_sm_state(c);
    wants_connect = 1;
}

static void go(void)
{
    if (conn)
        xmpp_conn_release(conn);
    conn = xmpp_conn_new(ctx);
    xmpp_conn_set_jid(conn, user);
    xmpp_conn_set_pass(conn, password);
    xmpp_conn_set_cafile(conn, ca);
    xmpp_conn_set_flags(conn, XMPP_CONN_FLAG_MANDATORY_TLS);
    if (sm && xmpp_conn_set_sm_state(conn, sm) != XMPP_EOK)
        printf("failed state\n");
    sm = NULL;
    wants_connect = 0;
    if (xmpp_connect_client(conn, "127.0.0.1", port, on_connection, NULL) != XMPP_EOK)
        printf("failed connect\n");
}

static void take_line(char *line)
{
    char *save, *word = strtok_r(line, " ", &save);
    if (word && strcmp(word, "stop") == 0) {
        wants_stop = 1;
        xmpp_disconnect(conn);
    } else if (word && strcmp(word, "send") == 0) {
        char *to = strtok_r(NULL, " ", &save), *id = strtok_r(NULL, " ", &save);
        xmpp_stanza_t *m = xmpp_message_new(ctx, "chat", to, id);
        xmpp_message_set_body(m, save);
        xmpp_send(conn, m);
        xmpp_stanza_release(m);
    }
}

int main(int argc, char **argv)
{
    static char in[65536];
    size_t n = 0;
    if (argc != 5)
        return 2;
    port = (unsigned short)strtoul(argv[1], NULL, 10);
    user = argv[2], password = argv[3], ca = argv[4];
    setvbuf(stdout, NULL, _IOLBF, 0);
    fcntl(0, F_SETFL, O_NONBLOCK);
    signal(SIGPIPE, SIG_IGN); /* a cut while TLS writes */
    xmpp_initialize();
    ctx = xmpp_ctx_new(NULL, xmpp_get_default_logger(XMPP_LEVEL_WARN));
    go();
    while (!wants_stop || is_up) {
        ssize_t got = read(0, in + n, sizeof(in) - 1 - n);
        if (got == 0)
            return 0;
        n += got > 0 ? (size_t)got : 0;
        for (char *end; is_up && (end = memchr(in, '\n', n));) {
            *end = '\0';
            take_line(in);
            n -= (size_t)(end + 1 - in);
            memmove(in, end + 1, n);
        }
        xmpp_run_once(ctx, 5);
        if (wants_connect)
            go();
    }
    xmpp_conn_release(conn);
    xmpp_ctx_free(ctx);
    xmpp_shutdown();
    return 0;
}
