import { describe, expect, it } from 'vitest'
import { Secrets } from '../../../src/cli/secrets.js'

describe('secrets', () => {
  it('hides the password of an address wherever it stands, encoded or not', () => {
    const secrets = new Secrets()
    secrets.address('redis://user:p%40ss-word@host:6379/0')
    expect(secrets.hide('cannot reach redis://user:p%40ss-word@host:6379/0: p%40ss-word and p@ss-word are wrong')).toBe('cannot reach redis://•••@host:6379/0: ••• and ••• are wrong')
  })

  it.each([
    ['postgres://admin:hunter22@db/x', 'postgres://•••@db/x'],
    ['postgres://u:a@b@db/x', 'postgres://•••@db/x'],
    ['postgres://db/x?user=u&password=hunter22&x=1', 'postgres://db/x?user=u&password=•••&x=1'],
    ['Invalid API Key provided: sk_test_abcDEF123', 'Invalid API Key provided: •••'],
    ['whsec_abcdef and rk_live_abcdef', '••• and •••'],
    ['whsec_ab/cd+efGH0123456789abcdefghijklmnopqrstuv= is it', '••• is it'],
    ['a=whsec_ab-cd_ef==, b', 'a=•••, b'],
  ])('hides what looks like one in %s', (text, shown) => {
    expect(new Secrets().hide(text)).toBe(shown)
  })

  it('hides variables whose names say that they are secret, and leaves others', () => {
    const secrets = new Secrets()
    secrets.variable('DATABASE_PASSWORD', 'correct horse')
    secrets.variable('REGION', 'europe-west')
    secrets.variable('SHORT_KEY', 'a')
    expect(secrets.hide('correct horse in europe-west, and a')).toBe('••• in europe-west, and a')
  })

  it('leaves plain text as it is', () => {
    const text = 'https://example.com/a@b?c=d: a user ada@example.com, task_force'
    expect(new Secrets().hide(text)).toBe(text)
  })
})
