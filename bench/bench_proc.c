#include "bench_proc.h"

#include <dirent.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

int procs_parse(struct procs *p, const char *text)
{
    p->n = 0;
    for (const char *at = text;; at++) {
        char *end;
        long pid = strtol(at, &end, 10);
        if (end == at || pid <= 0 || pid > 1 << 22 || p->n == PROCS_MAX || (*end && *end != ','))
            return -1;
        p->pid[p->n++] = (int)pid;
        if (!*end)
            return 0;
        at = end;
    }
}

static bool read_text(const char *path, char *out, size_t cap)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    size_t n = fread(out, 1, cap - 1, f);
    fclose(f);
    out[n] = 0;
    return n > 0;
}

static int64_t ticks_ns(int pid)
{
    char path[64], text[1024];
    unsigned long user, system;
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (!read_text(path, text, sizeof(text)))
        return -1;
    const char *behind_name = strrchr(text, ')');
    if (!behind_name ||
        sscanf(behind_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return -1;
    return (int64_t)(user + system) * (1000000000 / sysconf(_SC_CLK_TCK));
}

static int64_t one_cpu_ns(int pid)
{
    char path[64], file[400], text[128];
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *dir = opendir(path);
    if (!dir)
        return -1;
    int64_t sum = 0;
    for (struct dirent *d; (d = readdir(dir));) {
        long long ran;
        snprintf(file, sizeof(file), "%s/%s/schedstat", path, d->d_name);
        if (d->d_name[0] != '.' && read_text(file, text, sizeof(text)) && sscanf(text, "%lld", &ran) == 1)
            sum += ran;
    }
    closedir(dir);
    return sum > 0 ? sum : ticks_ns(pid);
}

static int64_t one_rss_bytes(int pid)
{
    char path[64], text[128];
    long pages;
    snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    if (!read_text(path, text, sizeof(text)) || sscanf(text, "%*d %ld", &pages) != 1)
        return -1;
    return pages * sysconf(_SC_PAGESIZE);
}

static int64_t sum_over(const struct procs *p, int64_t (*one)(int pid))
{
    int64_t sum = 0;
    for (size_t i = 0; i < p->n; i++) {
        int64_t v = one(p->pid[i]);
        if (v < 0)
            return -1;
        sum += v;
    }
    return p->n ? sum : -1;
}

int64_t procs_cpu_ns(const struct procs *p)
{
    return sum_over(p, one_cpu_ns);
}

static int64_t one_peak_bytes(int pid)
{
    char path[64], text[4096];
    long kb;
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    const char *at = read_text(path, text, sizeof(text)) ? strstr(text, "\nVmHWM:") : NULL;
    return at && sscanf(at, "\nVmHWM: %ld", &kb) == 1 ? kb * INT64_C(1024) : -1;
}

int64_t procs_rss_peak_bytes(const struct procs *p)
{
    return sum_over(p, one_peak_bytes);
}

int64_t procs_rss_bytes(const struct procs *p)
{
    return sum_over(p, one_rss_bytes);
}

int64_t machine_slab_bytes(void)
{
    char text[8192];
    long kb;
    const char *at = read_text("/proc/meminfo", text, sizeof(text)) ? strstr(text, "\nSlab:") : NULL;
    return at && sscanf(at, "\nSlab: %ld", &kb) == 1 ? kb * INT64_C(1024) : -1;
}

int pin_to_core(long core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    return sched_setaffinity(0, sizeof(set), &set);
}

long raise_descriptor_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return -1;
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
    return (long)r.rlim_cur;
}
