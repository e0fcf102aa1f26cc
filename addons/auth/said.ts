import { type Context, putBounded } from 'insight-dump';

const SAY_AGAIN_AFTER_MS = 60 * 60 * 1_000;
const MAX_SAID = 10_000;

/** When something was last said, so that it is not said for each of an editor's many connections. */
export type Said = Map<string, number>;

/** Says it once an hour; to the debug log otherwise. */
export function say({ state, log }: Context<unknown, { readonly said: Said }>, message: string): void {
  const recently = performance.now() - (state.said.get(message) ?? Number.NEGATIVE_INFINITY) < SAY_AGAIN_AFTER_MS;
  if (recently) log.debug(message);
  else {
    putBounded(state.said, message, performance.now(), MAX_SAID);
    log.info(message);
  }
}
