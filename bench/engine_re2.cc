// RE2 has a C++ interface only.
#include <re2/re2.h>
#include <re2/set.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "engines.h"

namespace
{

constexpr int64_t BUDGET = int64_t{2} << 30; // its automaton grows while it runs; beyond this it gives up

struct Re2 {
    std::unique_ptr<RE2::Set> set;
    const texts *lines;
    std::vector<int> ids;
};

uint64_t run(void *ctx, size_t i)
{
    auto *r = static_cast<Re2 *>(ctx);
    RE2::Set::ErrorInfo error;
    r->ids.clear();
    if (!r->set->Match(re2::StringPiece(r->lines->text[i], r->lines->bytes[i]), &r->ids, &error) &&
        error.kind != RE2::Set::kNoError) {
        std::fprintf(stderr, "RE2: error %d\n", static_cast<int>(error.kind));
        std::exit(2);
    }
    return r->ids.size();
}

void end(void *ctx)
{
    delete static_cast<Re2 *>(ctx);
}

} // namespace

contender engine_re2(const texts *patterns, bool is_literal, const texts *lines)
{
    RE2::Options options;
    options.set_literal(is_literal);
    options.set_case_sensitive(is_literal);
    options.set_max_mem(BUDGET);
    options.set_log_errors(false);
    auto *r = new Re2{std::make_unique<RE2::Set>(options, RE2::UNANCHORED), lines, {}};
    uint64_t start = contest_now_ns();
    for (size_t i = 0; i < patterns->n; i++) {
        std::string error;
        if (r->set->Add(re2::StringPiece(patterns->text[i], patterns->bytes[i]), &error) < 0) {
            std::fprintf(stderr, "RE2: %s: %s\n", patterns->text[i], error.c_str());
            std::exit(2);
        }
    }
    if (!r->set->Compile()) {
        std::fprintf(stderr, "RE2: can't compile\n");
        std::exit(2);
    }
    contender c{};
    c.name = "RE2::Set (its automaton grows meanwhile)";
    c.run = run;
    c.ctx = r;
    c.free = end;
    c.build_ms = static_cast<double>(contest_now_ns() - start) / 1e6;
    return c;
}
