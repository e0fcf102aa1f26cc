import type { Work } from './work.ts';

/** From the start of the process until it listens. */
export const START: Work = {
  name: 'start',
  title: 'From the start until it listens',
  measures: ['startMs'],
  isFresh: true,
  async run({ startMs }) {
    return { startMs };
  },
};
