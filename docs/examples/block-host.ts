// Keeps clients away from hosts and their subdomains, whether the proxy looks into their traffic or not.
// Run it: npx insight-dump -s docs/examples/block-host.ts --set block-host.hosts=example.com
import { domainToASCII } from 'node:url';
import { defineAddon } from 'insight-dump';
import { z } from 'zod';

// Clients ask for a host in lower case, without a last dot, and with other letters as Punycode.
const host = z
  .string()
  .transform((name) => domainToASCII(name.replace(/^\*?\.|\.$/g, '')))
  .refine((name) => name !== '', 'not a name of a host');

const options = z.object({
  hosts: z.array(host).prefault([]).describe('hosts to block, with all of their subdomains'),
});

export default defineAddon({
  name: 'block-host',
  options,

  connect(tunnel, { options, log }) {
    const { host, client } = tunnel;
    if (!options.hosts.some((blocked) => host === blocked || host.endsWith(`.${blocked}`))) return;
    tunnel.deny(403, { body: `insight-dump: ${host} is blocked here.\n` });
    log.info(`🚫 ${client.user ?? client.address} was kept from ${host}`);
  },
});
