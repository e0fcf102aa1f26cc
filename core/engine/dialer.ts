import dns from 'node:dns';
import net from 'node:net';
import { errors } from '../errors.ts';
import type { Authority } from './authority.ts';
import { applyConnectTo, type ConnectTo } from './connect-to.ts';
import { isThrough, openThrough, type ParentProxy } from './parent-proxy.ts';

export interface DialRules {
  readonly connectTo: readonly ConnectTo[];
  readonly allowPrivateTargets: boolean;
  /** Connections go through this proxy. */
  readonly parent?: ParentProxy | undefined;
}

/** How long an upstream may take to accept a connection, TLS included. */
export const CONNECT_TIMEOUT_MS = 15_000;

/** Where to open a socket to, as Node's `net`, `http` and `https` want it. */
export interface DialOptions {
  readonly host: string;
  readonly port: number;
  readonly lookup: net.LookupFunction;
  /** The host as it was asked for: what the parent proxy is chosen by. */
  readonly wanted: string;
}

/**
 * Decides where connections really go: `--connect-to` first, and never to an address of this machine or its private
 * networks, under whatever name, unless that is allowed. The check is made on the address that is connected to, so a
 * name cannot resolve to something else in between.
 */
export class Dialer {
  rules: DialRules;

  constructor(rules: DialRules) {
    this.rules = rules;
  }

  /** @throws InsightError `privateTarget`, for an address; a name fails when it is looked up */
  options(wanted: Authority): DialOptions {
    const { host, port, redirected } = applyConnectTo(this.rules.connectTo, wanted);
    const guarded = !redirected && !this.rules.allowPrivateTargets;
    if (guarded && net.isIP(host) !== 0 && isPrivate(host)) throw errors.privateTarget(host);
    return { host, port, lookup: guarded ? publicLookup : dns.lookup, wanted: wanted.host };
  }

  /** The proxy that a host is reached through. */
  parentFor(host: string): ParentProxy | undefined {
    const { parent } = this.rules;
    return parent !== undefined && isThrough(parent, host) ? parent : undefined;
  }

  /**
   * Opens a TCP connection, itself or through the parent proxy.
   *
   * @throws InsightError `privateTarget`, `connectTimeout`, `parentProxyRefused`, or the system's error
   */
  connect(wanted: Authority): Promise<net.Socket> {
    const options = this.options(wanted);
    const parent = this.parentFor(wanted.host);
    if (parent !== undefined)
      return openThrough(parent, { host: options.host, port: options.port }, CONNECT_TIMEOUT_MS);
    return new Promise((resolve, reject) => {
      const socket = net.connect({ ...options, allowHalfOpen: true, noDelay: true });
      limitConnectTime(socket, wanted, 'connect');
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(socket);
      });
    });
  }
}

/** Destroys a socket that is not there in time. `ready` is the event that says it is. */
export function limitConnectTime(
  socket: net.Socket,
  { host, port }: Authority,
  ready: 'connect' | 'secureConnect',
): void {
  const timer = setTimeout(
    () => socket.destroy(errors.connectTimeout(host, port, CONNECT_TIMEOUT_MS)),
    CONNECT_TIMEOUT_MS,
  );
  const clear = () => clearTimeout(timer);
  socket.once(ready, clear).once('close', clear);
}

const PRIVATE = new net.BlockList();
// RFC 6890 and its registries: "this network", private, shared, loopback, link-local, multicast and reserved.
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['224.0.0.0', 3],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv6');
}

/** True for an address that only this machine or its own networks reach. IPv4 inside IPv6 counts as IPv4. */
export function isPrivate(address: string): boolean {
  const plain = address.split('%')[0] as string;
  return PRIVATE.check(plain, net.isIPv6(plain) ? 'ipv6' : 'ipv4');
}

const publicLookup: net.LookupFunction = (hostname, options, callback) => {
  dns.lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, '', 0);
    const open = addresses.filter(({ address }) => !isPrivate(address));
    const [first] = open;
    if (first === undefined) return callback(errors.privateTarget(hostname), '', 0);
    if (options.all) return callback(null, open);
    return callback(null, first.address, first.family);
  });
};
