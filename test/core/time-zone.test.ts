import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { around, dateIn, isDate, isTimeZone, nextDayMs } from '../../core/time-zone.ts';

describe('the day that a moment belongs to', () => {
  const is = (what: string, zone: string, dates: Readonly<Record<string, string>>) =>
    it(what, () => {
      for (const [time, date] of Object.entries(dates)) assert.equal(dateIn(zone, Date.parse(time)), date, time);
    });

  is('changes at midnight, UTC', 'UTC', {
    '2026-01-31T23:59:59.999Z': '2026-01-31',
    '2026-02-01T00:00:00.000Z': '2026-02-01',
  });
  is('changes with the year where the zone says so', 'Pacific/Kiritimati', {
    '2026-12-31T09:59:59.999Z': '2026-12-31',
    '2026-12-31T10:00:00.000Z': '2027-01-01',
  });
  is('changes behind UTC, too', 'Pacific/Pago_Pago', {
    '2027-01-01T10:59:59.999Z': '2026-12-31',
    '2027-01-01T11:00:00.000Z': '2027-01-01',
  });
  is('lasts 23 hours when clocks go forward', 'Europe/Berlin', {
    '2026-03-28T22:59:59.999Z': '2026-03-28',
    '2026-03-28T23:00:00.000Z': '2026-03-29',
    '2026-03-29T21:59:59.999Z': '2026-03-29',
    '2026-03-29T22:00:00.000Z': '2026-03-30',
  });
  is('lasts 25 hours when clocks go back', 'Europe/Berlin', {
    '2026-10-24T21:59:59.999Z': '2026-10-24',
    '2026-10-24T22:00:00.000Z': '2026-10-25',
    '2026-10-25T22:59:59.999Z': '2026-10-25',
    '2026-10-25T23:00:00.000Z': '2026-10-26',
  });
  is('begins at one o’clock where clocks go forward at midnight', 'America/Asuncion', {
    '2023-10-01T03:59:59.999Z': '2023-09-30',
    '2023-10-01T04:00:00.000Z': '2023-10-01',
  });
  is('is a leap day', 'Asia/Kolkata', {
    '2028-02-28T18:29:59.999Z': '2028-02-28',
    '2028-02-28T18:30:00.000Z': '2028-02-29',
    '2028-02-29T18:30:00.000Z': '2028-03-01',
  });

  it('is within what is around that day, in each zone', () => {
    for (const zone of Intl.supportedValuesOf('timeZone'))
      for (let ms = Date.parse('2026-03-27T00:30:00Z'); ms < Date.parse('2026-03-31T00:00:00Z'); ms += 3_600_000) {
        const { fromMs, untilMs } = around(dateIn(zone, ms));
        assert.ok(fromMs <= ms && ms < untilMs, `${zone} ${new Date(ms).toISOString()}`);
      }
  });
});

describe('the day that comes next', () => {
  it('begins when the date changes, however long this one is', () => {
    for (const [zone, now, next] of [
      ['UTC', '2026-01-31T23:59:59.999Z', '2026-02-01T00:00:00.000Z'],
      ['UTC', '2026-02-01T00:00:00.000Z', '2026-02-02T00:00:00.000Z'],
      ['Europe/Berlin', '2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z'],
      ['Europe/Berlin', '2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z'],
      ['America/Asuncion', '2023-09-30T12:00:00.000Z', '2023-10-01T04:00:00.000Z'],
      // There was no 30 December 2011 in Samoa.
      ['Pacific/Apia', '2011-12-29T12:00:00.000Z', '2011-12-30T10:00:00.000Z'],
    ] as const)
      assert.equal(new Date(nextDayMs(zone, Date.parse(now))).toISOString(), next, zone);
  });
});

describe('a time zone', () => {
  it('is one that there is, by its name', () => {
    for (const zone of ['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires']) assert.ok(isTimeZone(zone), zone);
    for (const zone of ['', 'Berlin', 'Mars/Olympus', '+02:00', '__proto__']) assert.ok(!isTimeZone(zone), zone);
  });
});

describe('a date', () => {
  it('is one that there is, with four, two and two digits', () => {
    for (const date of ['2026-01-31', '2028-02-29']) assert.ok(isDate(date), date);
    for (const date of ['', 'today', '2026-1-31', '2026-02-30', '2027-02-29', '2026-13-01', '2026-01-31T00'])
      assert.ok(!isDate(date), date);
  });
});
