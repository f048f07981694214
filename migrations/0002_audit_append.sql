-- Appending to the audit chains in one round trip: the tenant's head is locked only while the statement and the commit
-- last, which is what limits how many transactions of one tenant can follow each other in a second.
--
-- hash = sha-256(prev_hash as text || seq as eight bytes, big end first || entry), hex: as src/store/audit.rs verifies it.
CREATE FUNCTION audit_append(tenants text[], entries text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    tenant text;
    head   audit_head%ROWTYPE;
    line   text;
    link   text;
BEGIN
    FOR tenant IN SELECT DISTINCT t FROM unnest(tenants) t ORDER BY t LOOP
        SELECT * INTO head FROM audit_head h WHERE h.tenant_id = tenant FOR UPDATE;
        IF NOT FOUND THEN
            INSERT INTO audit_head (tenant_id, seq, hash) VALUES (tenant, 0, repeat('0', 64)) ON CONFLICT DO NOTHING;
            SELECT * INTO head FROM audit_head h WHERE h.tenant_id = tenant FOR UPDATE;
        END IF;
        FOR line IN SELECT e FROM unnest(tenants, entries) WITH ORDINALITY AS n (t, e, place) WHERE t = tenant ORDER BY place LOOP
            head.seq := head.seq + 1;
            link := encode(sha256(convert_to(head.hash, 'UTF8') || int8send(head.seq) || convert_to(line, 'UTF8')), 'hex');
            INSERT INTO audit_log (tenant_id, seq, entry, prev_hash, hash) VALUES (tenant, head.seq, line, head.hash, link);
            head.hash := link;
        END LOOP;
        UPDATE audit_head h SET seq = head.seq, hash = head.hash WHERE h.tenant_id = tenant;
    END LOOP;
END $$;
