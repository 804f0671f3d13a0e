"""What Slack is known to send, by name: everything else is data too, and counted in the census. Pure.

From Slack's reference pages, its SDKs' types and the samples that the tests read. A name that is missing here costs
nothing but an entry in the census.
"""

from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


EVENTS: Final = _names("""
    app_conversation_join app_conversation_leave bot_add bot_disable bot_enable bot_remove channel_archive
    channel_canvas_updated channel_convert_to_private channel_convert_to_public channel_join channel_leave channel_name
    channel_posting_permissions channel_purpose channel_topic channel_unarchive ekm_access_denied group_archive
    group_join group_leave group_name group_purpose group_topic group_unarchive huddle_thread joiner_notification
    joiner_notification_for_inviter pinned_item reminder_add reminder_delete sh_room_created sh_room_shared
    tabbed_canvas_updated unpinned_item
""")
"""Subtypes by which Slack tells what happened in the channel: their author's kind is `system`."""

EVENT_PREFIXES: Final = ("channel_", "group_", "mpim_", "im_", "conversation_", "huddle_", "sh_room_", "reminder_")
"""An unknown subtype that begins so is an event too: none of those that are somebody's words begins so."""

SUBTYPES: Final = EVENTS | _names("""
    assistant_app_thread bot_message document_mention file_comment file_mention file_share me_message message_changed
    message_deleted message_replied reply_broadcast share_shortcut slackbot_response thread_broadcast tombstone
""")

BLOCKS: Final = _names("""
    actions alert call callout card carousel contact_card container context context_actions data_table
    data_visualization divider file header image input markdown plan rich_text section table task_card video
""")

ELEMENTS: Final = _names("""
    button checkboxes channels_select conversations_select datepicker datetimepicker email_text_input external_select
    feedback_buttons file_input icon_button multi_channels_select multi_conversations_select multi_external_select
    multi_static_select multi_users_select number_input overflow plain_text_input radio_buttons rich_text_input
    static_select timepicker url_text_input users_select workflow_button
""")
"""What can be clicked or filled in. The elements of rich_text are in rich_text.py."""

_MESSAGE: Final = _names("""
    app_id assistant_app_thread assistant_thread attachments blocks bot_id bot_link bot_profile channel channel_id
    channel_type client_msg_id comment deleted_ts display_as_bot edited event_ts file files hidden icons iid inviter
    is_ephemeral is_hidden_by_limit is_intro is_locked is_starred item item_type last_read latest_reply members message
    metadata name no_notifications ok old_name parent_user_id permalink pinned_info pinned_to previous_message purpose
    reactions replies reply_count reply_users reply_users_count room root saved search_score source_team streaming_state
    subscribed subtype team text thread_ts topic ts type unread_count upload user user_profile user_team username
    x_files
""")
_ATTACHMENT: Final = _names("""
    actions app_id app_unfurl_url attachment_type audio_html audio_html_height audio_html_width author_icon author_id
    author_link author_name author_subname blocks bot_id bot_team_id callback_id channel channel_id channel_name
    channel_team color event fallback fields files footer footer_icon from_url full_author_img hide_border hide_color id
    image_bytes image_height image_url image_width indent is_animated is_app_unfurl is_file_attachment is_msg_unfurl
    is_reply_unfurl is_share is_thread_root_unfurl list_record message_blocks metadata mimetype mrkdwn_in msg_subtype
    original_url original_w preview pretext private_channel_prompt service_icon service_name service_url subtype text
    thumb_height thumb_url thumb_width title title_link ts url video_html video_html_height video_html_width video_url
    footer_url is_thread_root_reply msg_id
""")
_USER: Final = _names("""
    color deleted enterprise_id enterprise_user has_2fa has_files id is_admin is_app_user is_bot is_connector_bot
    is_email_confirmed is_external is_forgotten is_invited_user is_owner is_primary_owner is_restricted is_stranger
    is_ultra_restricted is_workflow_bot locale name presence profile real_name team team_id teams two_factor_type tz
    tz_label tz_offset updated who_can_share_contact_card
""")
_CHANNEL: Final = _names("""
    canvas connected_limited_team_ids connected_team_ids context_team_id conversation_host_id created creator
    date_connected display_counts enterprise_id frozen_reason id internal_team_ids is_archived is_channel is_ext_shared
    is_frozen is_general is_global_shared is_group is_im is_member is_mpim is_moved is_non_threadable is_open
    is_org_default is_org_mandatory is_org_shared is_pending_ext_shared is_private is_read_only is_shared is_starred
    is_thread_only is_user_deleted last_read latest locale members name name_normalized num_members parent_conversation
    parent_group pending_connected_team_ids pending_shared pins previous_names priority properties purpose
    shared_team_ids team team_id topic unlinked unread_count unread_count_display updated use_case user
""")
FIELDS: Final[dict[str, frozenset[str]]] = {
    "message": _MESSAGE,
    "attachment": _ATTACHMENT,
    "user": _USER,
    "channel": _CHANNEL,
}
"""The fields of each object whose new ones are worth knowing of; those of files and profiles are too many and too
free (a team names its own profile fields)."""
