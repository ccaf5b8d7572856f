/* An SM: its sub-cores in turn in each cycle, CTAs that begin and end. */
#include "plain.h"

/* CTAs take places in order; none follows another, so a place is used once. */
static void launch_due(Sm *sm, Cycle now)
{
    while (sm->n_launched < sm->n_assigned && sm->cta_at[sm->n_launched] <= now) {
        int slot = sm->n_launched++;
        sm->cta_warps[slot] = (int)machine.warps_per_cta;
        for (int64_t w = 0; w < machine.warps_per_cta; w++) {
            int64_t place = slot * machine.warps_per_cta + w;
            const Stream *stream = &streams[sm->cta_number[slot] * machine.warps_per_cta + w];
            launch(&sm->subcore[place % SUBCORES], (int)(place / SUBCORES), slot, stream,
                   ++sm->serials, now);
        }
    }
}

/* Warps that have exited and have nothing in flight give their places back. */
static void reclaim(Sm *sm, Subcore *sc, Cycle now)
{
    for (Mask exited = sc->exited; exited; exited &= exited - 1) {
        int w = __builtin_ctz(exited);
        if (sc->warp[w].in_flight || sc->warp[w].raised)
            continue;
        sc->resident &= ~(1u << w);
        sc->exited &= ~(1u << w);
        if (--sm->cta_warps[sc->warp[w].cta_slot] == 0) {
            sm->n_ended++;
            sm->last_end = now;
        }
    }
}

static void take_answers(Sm *sm, Cycle now)
{
    for (; sm->in_head < sm->in_tail && sm->in[sm->in_head % MAILS].at <= now; sm->in_head++)
        refill(sm, sm->in[sm->in_head % MAILS].miss, now);
}

void run(Sm *sm, Cycle until)
{
    for (; sm->now < until; sm->now++) {
        take_answers(sm, sm->now);
        step_l1i(sm, sm->now);
        for (int s = 0; s < SUBCORES; s++) {
            Subcore *sc = &sm->subcore[s];
            if (!sc->resident)
                continue;
            step(sc, sm->now);
            reclaim(sm, sc, sm->now);
        }
        grant(sm, sm->now);
        launch_due(sm, sm->now);
    }
}
