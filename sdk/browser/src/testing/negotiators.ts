// Two negotiators, and what they say; the tests carry it over.

import { Negotiator, type LocalDescription } from '../connection/negotiator.js';
import type { Wish } from '../connection/wish.js';
import { FakeRTCPeerConnection } from './fake_rtc.js';

export const CONFIGURED = Promise.resolve({ iceServers: [{ urls: 'stun:a.example' }] });

export type Side = ReturnType<typeof side>;

export function side(initiator: boolean, hooks = {}) {
  const negotiator = new Negotiator({ configuration: {}, initiator, ...hooks });
  const said: LocalDescription[] = [];
  const wished: Wish[] = [];
  negotiator.on('description', (description) => said.push(description));
  negotiator.on('wish', (wish) => wished.push(wish));
  return { negotiator, said, wished, rtc: FakeRTCPeerConnection.made.at(-1) as FakeRTCPeerConnection };
}

// Alice calls, bob answers.
export async function connected({ renegotiates = true, takesWishes = false } = {}) {
  const [alice, bob] = [side(true), side(false)];
  for (const { negotiator } of [alice, bob]) Object.assign(negotiator, { renegotiates, takesWishes });
  alice.negotiator.start(CONFIGURED);
  await settled();
  bob.negotiator.startWith(alice.said[0] as LocalDescription, CONFIGURED);
  await settled();
  alice.negotiator.handleAnswer(bob.said[0] as LocalDescription);
  await settled();
  return { alice, bob };
}

// A macrotask that no fake clock holds up.
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
