// Hosts on one link, some of them behind a NAT box of their own, on a network that exists for one test:
//
//   hub 45.0.0.1 --+-- host 45.0.0.11
//                  +-- box 45.0.0.12 | 192.168.12.1 ---- host 192.168.12.2
//
// The addresses of the link are of the public internet, so that everybody treats them so. Whatever wants to talk to the
// hub can; how network.mjs makes hosts, and why nothing has to be removed, is said there.

import { Host } from './network.mjs';

const ADDRESS_OF_HUB = '45.0.0.1';

// What a NAT box does with ports. Linux keeps the port of the inner host while it is free, whoever is spoken to; shuffled,
// every destination sees another.
export const ports = { kept: '', shuffled: 'random,fully-random' };

export class Lan {
  #hosts = [];
  #next = 11;

  static async lay() {
    const lan = new Lan();
    try {
      lan.hub = await lan.#start('hub');
      lan.hub.address = ADDRESS_OF_HUB;
      await lan.hub.sh(`
        ip link add name switch type bridge
        ip address add ${ADDRESS_OF_HUB}/24 dev switch
        ip link set switch up`);
      return lan;
    } catch (error) {
      lan.close();
      throw error;
    }
  }

  // Another host on the link.
  async host() {
    const number = this.#next++;
    const host = await this.#start(`host${number}`, this.hub);
    host.address = `45.0.0.${number}`;
    await this.addCable(host, 'wire');
    await host.sh(`
      ip address add ${host.address}/24 dev wire
      ip link set wire up`);
    return host;
  }

  // A cable from the link to an interface of a host, which has no address yet.
  async addCable(host, name) {
    const end = name === 'wire' ? host.name : `${host.name}-${name}`;
    await this.hub.sh(`
      ip link add ${end} type veth peer name ${name} netns ${host.pid}
      ip link set ${end} master switch up`);
  }

  // Another host behind a box of its own, which counts the bytes that go out. `blocked`: what it does not let out, as
  // matches of nftables.
  hostBehindNat(kind, blocked = []) {
    return this.#hostBehind(() => rules(kind, blocked));
  }

  // Another host behind a box that lets everything through in both directions and translates its address, as clouds do
  // it for their machines.
  hostInCloud() {
    return this.#hostBehind(oneToOne);
  }

  async #hostBehind(rulesFor) {
    const box = await this.host();
    const number = box.address.split('.').at(-1);
    const host = await this.#start(`inner${number}`, this.hub);
    host.address = `192.168.${number}.2`;
    await box.sh(`
      ip link add lan type veth peer name wire netns ${host.pid}
      ip address add 192.168.${number}.1/24 dev lan
      ip link set lan up
      echo 1 > /proc/sys/net/ipv4/ip_forward
      nft -f - <<'END'
      ${rulesFor(host)}
END`);
    await host.sh(`
      ip address add ${host.address}/24 dev wire
      ip link set wire up
      ip route add default via 192.168.${number}.1`);
    host.box = box;
    return host;
  }

  // The end of the host's cable in the hub: the host's own interface stays as it is and has nobody to talk to.
  async unplug(host) {
    await this.hub.sh(`ip link set ${host.name} down`);
  }

  async plugIn(host) {
    await this.hub.sh(`ip link set ${host.name} up`);
  }

  close() {
    this.#hosts.forEach((host) => host.close());
  }

  async #start(name, neighbour) {
    const host = new Host(name);
    this.#hosts.push(host);
    await host.start(neighbour);
    return host;
  }
}

// As routers at home do it, strangers are met with silence. An answer would do harm: the kernel would remember the
// stranger's packet as a flow to the box itself, and give the inner host another port when it speaks to him.
function rules(kind, blocked) {
  return `
    table ip nat {
      counter over_udp { }
      counter over_tcp { }
      counter over_tls { }
      chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname "wire" masquerade ${kind};
      }
      chain input {
        type filter hook input priority filter;
        iifname "wire" ct state new,invalid drop;
      }
      chain forward {
        type filter hook forward priority filter;
        iifname "wire" ct state new,invalid drop;
        ${blocked.map((match) => `oifname "wire" ${match} drop;`).join('\n')}
        udp dport 3478 counter name over_udp;
        tcp dport 3478 counter name over_tcp;
        tcp dport 5349 counter name over_tls;
      }
    }`;
}

const oneToOne = ({ address }) => `
    table ip nat {
      chain prerouting {
        type nat hook prerouting priority dstnat;
        iifname "wire" dnat to ${address};
      }
      chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname "wire" masquerade;
      }
    }`;

// How many bytes went to the TURN server over each transport.
export async function bytesToTurn(host) {
  const { stdout } = await host.box.sh('nft --json list counters');
  const counters = JSON.parse(stdout).nftables.flatMap(({ counter }) => counter ?? []);
  return Object.fromEntries(counters.map(({ name, bytes }) => [name.replace('over_', ''), bytes]));
}

// Why this machine cannot have such a network, as the reason to skip a test.
export async function whyNoLan() {
  let lan;
  try {
    lan = await Lan.lay();
    await lan.hostBehindNat(ports.shuffled);
    return false;
  } catch (error) {
    if (!/not permitted|not supported|ENOENT|not found|Unknown device type/i.test(error.message)) throw error;
    return `this machine allows no networks with NAT: ${error.message.trim().split('\n').at(-1)}`;
  } finally {
    lan?.close();
  }
}
