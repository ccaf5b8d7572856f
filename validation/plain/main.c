/*
 * Reads a machine and a kernel from standard input, simulates, and writes what came out.
 *
 * Input: a name and a number a line for each entry of `numbers`; then, in lines of numbers, the
 * instructions, the warps' streams, the path's PCs, the slices of the code's lines.
 * Output: processor seconds, cycles, warp-cycles, the states' warp-cycles, and two counts a PC.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plain.h"

Machine machine;
Instruction *program;
int32_t *path;
Stream *streams;
Count *counts;
int32_t *slice_of;

static const struct { const char *name; int64_t *value; } numbers[] = {
    {"n_sms", &machine.n_sms},
    {"launch.gpu_interval", &machine.gpu_interval},
    {"launch.sm_interval", &machine.sm_interval},
    {"launch.cta_latency", &machine.cta_latency},
    {"sm.fetch.buffer_entries", &machine.buffer_entries},
    {"sm.issue.recency_cycles", &machine.recency_cycles},
    {"sm.register_file.read_ports", &machine.read_ports},
    {"sm.register_file.write_ports", &machine.write_ports},
    {"sm.register_file.cache", &machine.register_file_cache},
    {"sm.pipes.fp32_on_integer_pipe", &machine.fp32_on_integer_pipe},
    {"sm.l0i.sets", &machine.l0i_sets},
    {"sm.l0i.ways", &machine.l0i_ways},
    {"sm.l0i.line_bytes", &machine.line_bytes},
    {"sm.l0i.mshrs", &machine.l0i_mshrs},
    {"sm.l0i.merges", &machine.l0i_merges},
    {"sm.l0i.miss_queue", &machine.l0i_miss_queue},
    {"sm.stream_buffer.lines", &machine.stream_lines},
    {"sm.l1i.sets", &machine.l1i_sets},
    {"sm.l1i.ways", &machine.l1i_ways},
    {"sm.l1i.mshrs", &machine.l1i_mshrs},
    {"sm.l1i.request_latency", &machine.request_latency},
    {"sm.l1i.reply_latency", &machine.reply_latency},
    {"sm.l1d.sector_bytes", &machine.sector_bytes},
    {"interconnect.reply_bytes", &machine.reply_bytes},
    {"l2.slices", &machine.slices},
    {"l2.mshrs", &machine.slice_mshrs},
    {"l2.round_trip", &machine.round_trip},
    {"dram.channels", &machine.channels},
    {"dram.row_bytes", &machine.row_bytes},
    {"dram.latency", &machine.dram_latency},
    {"fraction", &machine.fraction},
    {"burst", &machine.burst},
    {"activate", &machine.activate},
    {"column", &machine.column},
    {"row_cycle", &machine.row_cycle},
    {"precharge", &machine.precharge},
    {"activate_interval", &machine.activate_interval},
    {"warm_icache", &machine.warm_icache},
    {"n_instructions", &machine.n_instructions},
    {"n_ctas", &machine.n_ctas},
    {"warps_per_cta", &machine.warps_per_cta},
    {"n_path", &machine.n_path},
    {"n_lines", &machine.n_lines},
};

void fail(const char *why)
{
    fprintf(stderr, "plain_c: %s\n", why);
    exit(1);
}

/* -- Input -- */

static int64_t number(void)
{
    int64_t value;
    if (scanf("%" SCNd64, &value) != 1)
        fail("a number is missing in the input");
    return value;
}

static void *room_for(int64_t n, size_t size)
{
    void *room = calloc((size_t)n, size);
    if (!room)
        fail("no memory");
    return room;
}

static int32_t *read_numbers(int64_t n)
{
    int32_t *read = room_for(n, sizeof *read);
    for (int64_t k = 0; k < n; k++)
        read[k] = (int32_t)number();
    return read;
}

static void read_input(void)
{
    char name[64];
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        if (scanf("%63s", name) != 1 || strcmp(name, numbers[k].name) != 0)
            fail("the numbers of the machine are not in the order that main.c expects");
        *numbers[k].value = number();
    }
    program = room_for(machine.n_instructions, sizeof *program);
    for (int16_t *field = (int16_t *)program; /* it has no others */
         field < (int16_t *)(program + machine.n_instructions); field++)
        *field = (int16_t)number();
    streams = room_for(machine.n_ctas * machine.warps_per_cta, sizeof *streams);
    for (int64_t k = 0; k < machine.n_ctas * machine.warps_per_cta; k++)
        streams[k].path = number(), streams[k].length = number();
    path = read_numbers(machine.n_path);
    slice_of = read_numbers(machine.n_lines);
    counts = room_for(machine.n_instructions, sizeof *counts);
}

/* -- Simulation: SMs run in windows as long as the round trip to the L2 -- */

/* CTAs to SMs breadth first, each to start in a cycle of its own. */
static void dispatch(Sm *sms)
{
    Cycle free_at = 0;
    for (int64_t number = 0; number < machine.n_ctas; number++) {
        Sm *sm = &sms[number % machine.n_sms];
        Cycle at = number / machine.n_sms * machine.sm_interval;
        if (sm->n_assigned) {
            Cycle next = sm->cta_at[sm->n_assigned - 1] - machine.cta_latency + machine.sm_interval;
            at = next > at ? next : at;
        }
        at = free_at > at ? free_at : at;
        free_at = at + machine.gpu_interval;
        sm->cta_at[sm->n_assigned] = at + machine.cta_latency;
        sm->cta_number[sm->n_assigned++] = (int)number;
    }
}

static Sm *make_sms(void)
{
    Sm *sms = room_for(machine.n_sms, sizeof *sms);
    for (Sm *sm = sms; sm < sms + machine.n_sms; sm++) {
        sm->l1i.last_demand = SUBCORES;
        sm->l1i.last_prefetch = SUBCORES - 1;
        for (int s = 0; s < SUBCORES; s++)
            sm->subcore[s].greedy = -1;
    }
    dispatch(sms);
    return sms;
}

static double processor_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static bool running(const Sm *sms)
{
    for (const Sm *sm = sms; sm < sms + machine.n_sms; sm++)
        if (sm->n_ended < sm->n_assigned)
            return true;
    return false;
}

static Sm *simulate(void)
{
    Sm *sms = make_sms();
    begin_l2();
    for (Cycle until = machine.round_trip; running(sms); until += machine.round_trip) {
        for (Sm *sm = sms; sm < sms + machine.n_sms; sm++)
            run(sm, until);
        serve_window(sms);
    }
    return sms;
}

static void write_output(const Sm *sms, double seconds)
{
    int64_t states[STATES] = {0}, warp_cycles = 0;
    Cycle last_end = 0;
    for (const Sm *sm = sms; sm < sms + machine.n_sms; sm++) {
        last_end = sm->last_end > last_end ? sm->last_end : last_end;
        for (int s = 0; s < SUBCORES; s++) {
            warp_cycles += sm->subcore[s].warp_cycles;
            for (int k = 0; k < STATES; k++)
                states[k] += sm->subcore[s].state_cycles[k];
        }
    }
    printf("%.9f\n%" PRId64 "\n%" PRId64 "\n", seconds, last_end + 1, warp_cycles);
    for (int k = 0; k < STATES; k++)
        printf("%" PRId64 "\n", states[k]);
    for (int64_t pc = 0; pc < machine.n_instructions; pc++)
        printf("%" PRId64 " %" PRId64 "\n", counts[pc].issued, counts[pc].cycles);
}

int main(void)
{
    read_input();
    double begin = processor_s();
    Sm *sms = simulate();
    write_output(sms, processor_s() - begin);
    return 0;
}
