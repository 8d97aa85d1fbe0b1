"""Definitions of call properties, as an account has them."""

from collections.abc import Mapping

import msgspec

from tests.simulator.model.definitions import Definition, own_definitions

DEFAULTS = ("hs_createdate", "hs_lastmodifieddate", "hs_object_id")
"""What an answer holds when nothing is asked for, and beside whatever is."""

_BY_TYPE = {
    "string": """
        hs_call_title hs_call_body hs_call_disposition hs_call_from_number hs_call_to_number
        hs_call_callee_object_type hs_call_recording_url hs_call_app_id hs_call_external_id
        hs_call_external_account_id hs_call_summary hs_call_transcription_id hs_attachment_ids
        hs_all_owner_ids hs_body_preview hs_body_preview_html hs_call_authed_url_provider
        hs_call_deal_stage_during_call hs_call_from_number_nickname hs_call_to_number_nickname
        hs_call_location hs_call_phone_number_source hs_call_routing_strategy_type
        hs_call_suggested_next_actions hs_call_unique_external_id hs_call_video_recording_url
        hs_call_zoom_meeting_uuid hs_calls_service_call_id hs_created_by hs_engagement_source_id
        hs_follow_up_action hs_merged_object_ids hs_object_source_detail_1
        hs_object_source_detail_2 hs_object_source_detail_3 hs_object_source_id
        hs_object_source_label hs_queue_membership_ids hs_unique_creation_key hs_unique_id
        hubspot_team_id hubspot_owner_id""",
    "number": """
        hs_object_id hs_call_duration hs_call_callee_object_id hs_call_meeting_id
        hs_call_primary_deal hs_call_recording_duration hs_call_summary_execution_id
        hs_call_transcript_audio_num_channels hs_call_unified_phone_number_id hs_connected_count
        hs_voicemail_count hs_created_by_user_id hs_modified_by hs_object_source_user_id
        hs_updated_by_user_id""",
    "datetime": """
        hs_timestamp hs_createdate hs_lastmodifieddate hubspot_owner_assigneddate""",
    "enumeration": """
        hs_call_direction hs_call_status hs_call_source hs_activity_type hs_engagement_source
        hs_object_source hs_call_video_meeting_type""",
    "bool": """
        hs_call_has_voicemail hs_call_has_transcript hs_gdpr_deleted hs_read_only
        hs_was_imported hs_body_preview_is_truncated""",
}

TYPES = {name: kind for kind, names in _BY_TYPE.items() for name in names.split()}
"""HubSpot's call properties and their types."""

DEFINITIONS: Mapping[str, Definition] = own_definitions(TYPES)


class Projection(msgspec.Struct, frozen=True):
    """Which properties an answer holds, in alphabetical order as HubSpot sends them."""

    names: tuple[str, ...]
    history: tuple[str, ...] = ()
