/* Every cause: the configured policy alone decides, it is counted, and the agent is told something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/policy.h"

static void test_every_cause(void **state)
{
    (void)state;
    static struct conf conf;
    static struct counters count;
    for (int c = 0; c < CAUSE_COUNT; c++) {
        for (int k = 0; k < CAUSE_COUNT; k++)
            conf.policy[k] = k == c ? POLICY_PASS : POLICY_BLOCK;
        assert_false(policy_blocks(&conf, &count, (enum cause)c));
        for (int k = 0; k < CAUSE_COUNT; k++)
            conf.policy[k] = k == c ? POLICY_BLOCK : POLICY_PASS;
        assert_true(policy_blocks(&conf, &count, (enum cause)c));
        assert_int_equal(count.cause[c], 2);
        assert_true(policy_reason((enum cause)c)[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_cause)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
