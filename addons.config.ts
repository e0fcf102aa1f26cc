/**
 * What the proxy does. Save it while it runs: what you change here is in force at once.
 * Every setting is described where `Config` is declared, in core/addon.ts.
 */
import { defineConfig } from 'insight-dump';

export default defineConfig({
  // The chain of addons, in order. Add your own by its path.
  addons: [
    { script: 'addons/auth.ts', required: true },
    // Says what may be kept of whom: everything, unless its options say otherwise. See docs/privacy.md.
    { script: 'addons/privacy.ts', required: true },
    'addons/filter.ts',
    'addons/usage.ts',
    'addons/metrics.ts',
  ],

  options: {
    auth: {
      // Each gets a password in logs/user_auth.json. There are other ways to have users: see docs/auth.md.
      users: ['alice', 'bob'],
    },
  },

  // The addons tell of each exchange that counts; 1 says a line for every request.
  flowDetail: 0,
});
