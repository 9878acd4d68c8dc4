package spooltest

// TwoOrganisations is a policy with acme, which has elements of every kind, and north,
// which is not recorded.
const TwoOrganisations = `version: 1
region: GB
organisations:
  acme:
    domains: [acme.example.net]
    numbers:
      "+442079460001": { record: yes }
      "+442079460002": { record: { outbound: force } }
    ring_groups:
      sales: { record: no }
    applications:
      survey: { record: yes }
    users:
      alice: { extension: "1001", record: { inbound: no, outbound: no, internal: yes } }
      bob: { extension: "1002" }
  north:
    recording: false
    numbers:
      "+442079460201": { record: yes }
    ring_groups:
      sales: { record: yes }
    users:
      alice: { extension: "1001", record: yes }
      nora: { extension: "1003", record: yes }
`

// OneOrganisation is a policy with one number that is recorded.
const OneOrganisation = `version: 1
organisations:
  acme:
    numbers:
      "+442079460001": { record: yes }
`
